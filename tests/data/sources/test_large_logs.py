"""Logs that are larger than what is in memory at a time."""

import collections

import pyarrow.parquet as pq
import pytest

from tests.data.large_log import (
    HISTORIES,
    OFF_THE_LOG,
    SAMPLED,
    tables,
    write,
)
from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.features import value_counts, vocabulary
from tfadrec.data.intake import feature_notes, limits
from tfadrec.data.sources import prepare_table


@pytest.fixture
def small(monkeypatch):
    """Batches and parts of few rows."""
    monkeypatch.setattr(limits, "BATCH_ROWS", 70)
    monkeypatch.setattr(limits, "PART_ROWS", 90)
    monkeypatch.setattr(limits, "LOOK_UP_ROWS", 130)
    monkeypatch.setattr(limits, "TEXT_BYTES", 6000)


@pytest.mark.parametrize(
    ("end", "changes"),
    [
        ("parquet", {}),
        ("jsonl", HISTORIES),
        pytest.param("csv", {}, marks=pytest.mark.slow),
        pytest.param("parquet", OFF_THE_LOG, marks=pytest.mark.slow),
        pytest.param("parquet", SAMPLED, marks=pytest.mark.slow),
        pytest.param(
            "parquet",
            {"impressions": {"request_id": None, "split": None}},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "parquet",
            {"impressions": {"split": {"valid": 0.1, "test": 0.2}}},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_parts_make_the_dataset_that_one_part_makes(
    tmp_path, request, end, changes
):
    config = write(tmp_path, end, **changes)
    home = tmp_path / "home"
    whole = prepare_table(config, home / "d")
    request.getfixturevalue("small")
    parts = prepare_table(config, home / "e")
    check_equal(home, whole, parts)
    # It was written part by part.
    assert pq.ParquetFile(home / "e" / "events.parquet").num_row_groups > 3
    # Nothing of what was made on the way is left.
    assert sorted(p.name for p in home.iterdir()) == ["d", "e"]


def check_equal(home, whole, parts):
    assert parts.counts == whole.counts
    assert parts.sizes == whole.sizes
    assert parts.notes == whole.notes
    files = sorted(p.relative_to(home / "d") for p in (home / "d").rglob("*.*"))
    assert len(files) > 20
    for file in files:
        one, two = home / "d" / file, home / "e" / file
        if file.suffix == ".parquet":
            assert pq.read_table(two).equals(pq.read_table(one)), file
        elif file.name != "manifest.json":
            assert two.read_bytes() == one.read_bytes(), file


def test_vocabularies_that_do_not_fit_are_the_same_in_parts_and_told(
    tmp_path, monkeypatch, request
):
    for module in (value_counts, vocabulary, feature_notes):
        monkeypatch.setattr(module, "MOST_VALUES", 2)
    config = write(tmp_path, "parquet")
    home = tmp_path / "home"
    whole = prepare_table(config, home / "d")
    request.getfixturevalue("small")
    check_equal(home, whole, prepare_table(config, home / "e"))
    schema = Schema.from_json((home / "d" / "schema.json").read_text())
    of = {feature.name: feature for feature in schema.features}
    rows = pq.read_table(home / "d" / "impressions.parquet")
    counts = collections.Counter(
        text for row in rows[of["likes"].column].to_pylist() for text in row
    )
    (often, seen), (_, next_most), _ = counts.most_common()
    assert seen > next_most
    least = of["likes"].least_count
    assert of["likes"].vocabulary == tuple(
        sorted(text for text, n in counts.items() if n >= least)
    )
    assert often in of["likes"].vocabulary
    assert of["brand"].least_count == 0
    assert (
        "the context's 'likes' has more values than a vocabulary holds (2): "
        f"those that are seen less than {least} times count as unknown; "
        "`buckets` hashes all values"
    ) in whole.notes


def test_nothing_is_left_of_a_log_that_is_refused(tmp_path, small):
    config = write(tmp_path, "parquet", impressions={"max_rejected": 0})
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(InputError, match=r"at most 0 % of the impressions .*"):
        prepare_table(config, home / "d")
    assert list(home.iterdir()) == []


def test_lines_of_later_batches_are_told(tmp_path, small):
    config = write(tmp_path, "parquet")
    prepare_table(config, tmp_path / "d")
    rejects = pq.read_table(tmp_path / "d" / "rejects.parquet").to_pylist()
    lines = [r["line"] for r in rejects if r["source"] == "events.parquet"]
    ads = tables()["events"]["ad"].to_pylist()
    assert lines == [n for n, ad in enumerate(ads, 1) if ad == "nowhere"]
