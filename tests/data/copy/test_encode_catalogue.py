"""A table with a vector per ad, in which only what is new was encoded."""

import hashlib
import signal
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import processes
from tests.data import tiny_encoder
from tfadrec.core.errors import InputError
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.data import encode_catalogue

ADS = {
    "ad_id": [30, 10, 20, 40],
    "title": ["a b", "", "c", None],
    "description": ["d", "", None, None],
    "tags": [["e", None, "f"], [], None, None],
}
#: By `ad_text`'s rules, written by hand.
TEXTS = ["a b. d. e, f", "", "c", ""]


pytestmark = pytest.mark.usefixtures("op_by_op")


def write(path, **changed):
    columns = {**ADS, **changed}
    pq.write_table(
        pa.table({k: v for k, v in columns.items() if v is not None}), path
    )
    return path


def encode(source, folder, **options):
    return encode_catalogue(
        source,
        folder / "out",
        tiny_encoder.tokenizer(),
        tiny_encoder.encoder(),
        cache=folder / "cache",
        progress=False,
        **options,
    )


def vectors_of(folder):
    """ad id -> vector; checks that both files tell the same."""
    table = pq.read_table(folder / "out" / "vectors.parquet")
    vectors = np.load(folder / "out" / "vectors.npy")
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(table["vector"].to_pylist(), vectors)
    return dict(zip(table["ad_id"].to_pylist(), vectors, strict=True))


def test_a_vector_and_a_hash_per_ad(tmp_path):
    found = encode(write(tmp_path / "ads.parquet"), tmp_path)
    table = pq.read_table(tmp_path / "out" / "vectors.parquet")
    assert table.column_names == ["ad_id", "content_sha256", "vector"]
    assert table["ad_id"].to_pylist() == ADS["ad_id"]
    assert table["content_sha256"].to_pylist() == [
        hashlib.sha256(text.encode()).hexdigest() for text in TEXTS
    ]
    encoder, tokenizer = tiny_encoder.encoder(), tiny_encoder.tokenizer()
    vectors = vectors_of(tmp_path)
    for ad, text in zip(ADS["ad_id"], TEXTS, strict=True):
        expected = encoder(tokenizer([text]))[0] if text else np.zeros(8)
        np.testing.assert_allclose(vectors[ad], expected, atol=1e-5)
    assert found.pop("seconds") > 0
    assert found == {
        "ads": 4,
        "encoded": 2,
        "cut": 0,
        "width": 8,
        "parquet": str(tmp_path / "out" / "vectors.parquet"),
        "npy": str(tmp_path / "out" / "vectors.npy"),
    }
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == ["manifest.json", "vectors.npy", "vectors.parquet"]


def test_only_changed_copy_is_encoded(tmp_path):
    source = write(tmp_path / "ads.parquet")
    encode(source, tmp_path)
    before = vectors_of(tmp_path)
    assert encode(source, tmp_path)["encoded"] == 0
    # The first ad has gone, one is new with known copy, one has other copy.
    write(
        source,
        ad_id=[20, 50, 40],
        title=["c", "c", "g"],
        description=None,
        tags=None,
    )
    assert encode(source, tmp_path)["encoded"] == 1
    after = vectors_of(tmp_path)
    assert list(after) == [20, 50, 40]
    np.testing.assert_array_equal(after[20], before[20])
    np.testing.assert_array_equal(after[50], before[20])
    assert np.any(after[40])


def test_a_dataset_folder(tmp_path):
    (tmp_path / "dataset").mkdir()
    write(tmp_path / "dataset" / "ads.parquet")
    assert encode(tmp_path / "dataset", tmp_path)["ads"] == 4


def test_cut_ads_are_counted(tmp_path):
    long = " ".join("abcdefgh" * 3)
    write(tmp_path / "ads.parquet", title=[long, "a", long, "b"])
    assert encode(tmp_path / "ads.parquet", tmp_path)["cut"] == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ad_id": None}, "columns ad_id and title. Received: title"),
        ({"title": None}, "columns ad_id and title. Received: ad_id"),
        ({"ad_id": [1, 1, 2, 2]}, "0 missing and 2 repeated"),
        ({"ad_id": [1, None, None, 2]}, "2 missing and 0 repeated"),
        ({"tags": ["a", "b", "c", "d"]}, "tags of a catalogue must be list"),
        ({"title": [["a"]] * 4}, "title of a catalogue must be string"),
    ],
)
def test_what_is_no_catalogue(tmp_path, changed, message):
    with pytest.raises(InputError, match=message):
        encode(write(tmp_path / "ads.parquet", **changed), tmp_path)
    assert not (tmp_path / "out").exists()


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="a catalogue is a dataset folder"):
        encode(tmp_path / "nowhere", tmp_path)
    (tmp_path / "text").write_text("ad_id,title")
    with pytest.raises(InputError, match="a catalogue is a dataset folder"):
        encode(tmp_path / "text", tmp_path)
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(InputError, match="takes the place of a folder of vec"):
        encode(write(tmp_path / "ads.parquet"), tmp_path)


def test_other_files_beside_the_vectors_are_kept(tmp_path):
    source = write(tmp_path / "ads.parquet")
    encode(source, tmp_path)
    (tmp_path / "out" / "notes.txt").touch()
    with pytest.raises(InputError, match=r"also holds notes\.txt"):
        encode(source, tmp_path)
    assert (tmp_path / "out" / "notes.txt").exists()


def test_vectors_of_version_1_are_replaced_and_those_of_others_are_not(
    tmp_path,
):
    source = write(tmp_path / "ads.parquet")
    encode(source, tmp_path)
    (tmp_path / "out" / "manifest.json").unlink()
    encode(source, tmp_path)
    (tmp_path / "out" / "manifest.json").unlink()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "out" / "vectors.parquet")
    with pytest.raises(InputError, match=r"and no manifest\.json"):
        encode(source, tmp_path)


def test_a_damaged_dataset_is_not_encoded(tmp_path):
    with OwnedFolder(tmp_path / "d", "dataset").replacing() as fresh:
        (fresh / "schema.json").write_text("{}")
        write(fresh / "ads.parquet")
    assert encode(tmp_path / "d", tmp_path)["ads"] == 4
    file = tmp_path / "d" / "ads.parquet"
    content = bytearray(file.read_bytes())
    content[50] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"where ads\.parquet is not"):
        encode(tmp_path / "d", tmp_path)


@pytest.mark.slow
def test_killed_and_resumed(tmp_path):
    """SIGKILL while the third part is encoded; the others are kept.

    In the default run, `test_text_vectors` says so of an exception.
    """
    words = "abcdefgh"
    titles = [f"{x} {y} {z}" for x in words for y in words for z in words]
    source = write(
        tmp_path / "ads.parquet",
        ad_id=list(range(512)),
        title=titles,
        description=None,
        tags=None,
    )
    code = f"""
        import importlib, os, pathlib, signal
        from tests.data.copy import test_encode_catalogue as tests
        module = importlib.import_module("tfadrec.data.copy.text_vectors")
        module._TEXTS_PER_PART = 100
        write, written = module._write_part, []
        def killed_at_the_third(*args):
            if len(written) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            written.append(args)
            write(*args)
        module._write_part = killed_at_the_third
        folder = pathlib.Path({str(tmp_path)!r})
        tests.encode({str(source)!r}, folder)
    """
    done = processes.run(textwrap.dedent(code))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "out").exists()
    assert encode(source, tmp_path)["encoded"] == 312
    resumed = vectors_of(tmp_path)
    whole = tmp_path / "whole"
    whole.mkdir()
    assert encode(source, whole)["encoded"] == 512
    for ad, vector in vectors_of(whole).items():
        np.testing.assert_allclose(resumed[ad], vector, atol=1e-6)
