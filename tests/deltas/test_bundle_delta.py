"""A version that is made of an older one, and what is refused."""

import json
import os
import shutil
import types

import numpy as np
import pytest
from click.testing import CliRunner

from tests.killed import leave
from tests.training import small
from tests.training.test_update import CONFIG, write_day
from tfadrec import serving, training
from tfadrec.cli.main import main
from tfadrec.core.bundle_folder import version_folder, version_numbers
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import NAME, Manifest
from tfadrec.deltas import apply_delta, write_delta

TABLE = np.random.default_rng(0).normal(size=(4000, 16)).astype("f4")


def write_version(path, number, files):
    with version_folder(path, number).replacing() as fresh:
        for name, content in files.items():
            (fresh / name).parent.mkdir(exist_ok=True)
            (fresh / name).write_bytes(content)
    return path / str(number)


def contents(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def folders(root):
    return {f.relative_to(root) for f in root.rglob("*") if f.is_dir()}


@pytest.fixture
def bundle(tmp_path):
    """Two versions: rows are touched, and join; files come, go and stay."""
    grown = np.concatenate([TABLE[:900], TABLE[:7] + 1, TABLE[900:]])
    grown[::400] += 1
    path = tmp_path / "shop"
    write_version(
        path,
        1,
        {
            "saved_model.pb": b"graph",
            "variables/data": TABLE.tobytes(),
            "assets/same": bytes(range(256)) * 40,
            "gone": b"words",
        },
    )
    write_version(
        path,
        2,
        {
            "saved_model.pb": b"graph 2",
            "variables/data": grown.tobytes(),
            "assets/same": bytes(range(256)) * 40,
            "empty": b"",
            "come/new": b"words",
        },
    )
    return path


def test_the_new_version_is_equal(bundle, tmp_path):
    delta = write_delta(bundle / "1", bundle, tmp_path / "delta")
    made = apply_delta(bundle / "1", delta, tmp_path / "b" / "2")
    assert contents(made) == contents(bundle / "2")
    size = sum(len(content) for content in contents(delta).values())
    # 7 rows came and 11 were touched, of 4,007.
    assert 18 * 64 < size < 18 * 64 + 6000
    # A link to the version is the version.
    (tmp_path / "stable").symlink_to(bundle / "1")
    again = apply_delta(tmp_path / "stable", delta, tmp_path / "c")
    assert contents(again) == contents(made)


def test_the_command_needs_no_tensorflow(bundle, tmp_path):
    delta = write_delta(bundle / "1", bundle / "2", tmp_path / "delta")
    out = tmp_path / "made"
    call = ["apply-delta", bundle / "1", delta, "--out", out, "--json"]
    done = CliRunner().invoke(main, [str(part) for part in call])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1]) == {"version": str(out)}
    assert contents(out) == contents(bundle / "2")
    done = CliRunner().invoke(main, [str(part) for part in call])
    assert done.exit_code == 2
    assert "a version is written once" in done.stderr


def test_another_version_is_refused(bundle, tmp_path):
    delta = write_delta(bundle / "1", bundle / "2", tmp_path / "delta")
    for other in (bundle / "2", bundle):
        with pytest.raises(InputError, match="that it was made for"):
            apply_delta(other, delta, tmp_path / "made")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "name",
    ["pieces/variables/data", "bytes/variables/data", "base.json", "come/new"],
)
def test_a_damaged_delta_is_refused(bundle, tmp_path, name):
    delta = write_delta(bundle / "1", bundle / "2", tmp_path / "delta")
    file = delta / (f"bytes/{name}" if name == "come/new" else name)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"where .*{name} is not. Copy it"):
        apply_delta(bundle / "1", delta, tmp_path / "made")
    os.truncate(file, 1)
    with pytest.raises(InputError, match=f"where .*{name} is not. Copy it"):
        apply_delta(bundle / "1", delta, tmp_path / "made")
    file.unlink()
    with pytest.raises(InputError, match=f"where .*{name} is not. Copy it"):
        apply_delta(bundle / "1", delta, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_delta_whose_pieces_are_wrong_is_refused(bundle, tmp_path):
    """Even where its own sums fit, the new version's are what counts."""
    delta = write_delta(bundle / "1", bundle / "2", tmp_path / "delta")
    pieces = np.fromfile(delta / "pieces/variables/data", "<i8")
    for place, value in ((3, 65), (3, -64), (4, 2**62)):
        wrong = pieces.copy()
        wrong[place] = value
        other = tmp_path / f"other{value}"
        shutil.copytree(delta, other)
        (other / "pieces/variables/data").write_bytes(wrong.tobytes())
        rewrite_sums(other)
        with pytest.raises(InputError, match="variables/data is not"):
            apply_delta(bundle / "1", other, tmp_path / "made")
        assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "name", ["base.json", "target.json", "pieces/come/new", "bytes/come/new"]
)
def test_a_delta_without_all_of_its_files_is_refused(bundle, tmp_path, name):
    """Though its own list has none: a pipe in that place would wait."""
    delta = write_delta(bundle / "1", bundle / "2", tmp_path / "delta")
    (delta / name).unlink()
    rewrite_sums(delta)
    os.mkfifo(delta / name)
    with pytest.raises(InputError, match=f"where {name} is not"):
        apply_delta(bundle / "1", delta, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_delta_of_what_is_no_saved_model_is_refused(bundle, tmp_path):
    """Though all of its sums fit; no server reads what it would make."""
    delta = write_delta(bundle / "1", bundle / "2", tmp_path / "delta")
    target = Manifest.from_json((delta / "target.json").read_bytes(), "")
    files = {n: f for n, f in target.files.items() if n != "saved_model.pb"}
    text = Manifest(target.kind, files).to_json()
    (delta / "target.json").write_text(text)
    rewrite_sums(delta)
    with pytest.raises(InputError, match=r"where target\.json is not"):
        apply_delta(bundle / "1", delta, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_delta_that_would_fill_a_disk_is_refused(bundle, tmp_path):
    delta = write_delta(bundle / "1", bundle / "2", tmp_path / "delta")
    piece = [0, TABLE.nbytes, 0]
    pieces = np.array([piece] * 100_000, "<i8")  # 25 GB
    (delta / "pieces/variables/data").write_bytes(pieces.tobytes())
    rewrite_sums(delta)
    with pytest.raises(InputError, match="pieces/variables/data is not"):
        apply_delta(bundle / "1", delta, tmp_path / "made")


def test_a_version_without_room_is_refused(bundle, tmp_path, monkeypatch):
    delta = write_delta(bundle / "1", bundle / "2", tmp_path / "delta")
    room = types.SimpleNamespace(free=TABLE.nbytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: room)
    with pytest.raises(OSError, match=r"26\d,\d+ bytes.* 256,000 are free"):
        apply_delta(bundle / "1", delta, tmp_path / "a/made")
    assert not (tmp_path / "a").exists()


def test_what_a_killed_export_has_left_is_cleared(bundle, tmp_path):
    """Its version is there, so the next delta is of another one."""
    left = [leave(tmp_path / n, "bundle delta") for n in ("2", "3")]
    (left[1] / "old").mkdir()
    write_delta(bundle / "1", bundle / "2", tmp_path / "4")
    assert not left[0].exists()
    # That may be the only copy of what was there.
    assert (left[1] / "old").is_dir()
    apply_delta(bundle / "1", tmp_path / "4", tmp_path / "made")
    left = leave(tmp_path / "made", "bundle version")
    with pytest.raises(InputError, match="a version is written once"):
        apply_delta(bundle / "1", tmp_path / "4", tmp_path / "made")
    assert not left.exists()


def rewrite_sums(folder):
    (folder / NAME).unlink()
    Manifest.of(folder, "bundle delta").write(folder)


def test_damaged_versions_and_other_folders_are_refused(bundle, tmp_path):
    delta = write_delta(bundle / "1", bundle / "2", tmp_path / "delta")
    with pytest.raises(InputError, match="a bundle delta has a manifest"):
        apply_delta(bundle / "1", bundle / "2", tmp_path / "made")
    with pytest.raises(InputError, match="a bundle is a folder of numbered"):
        write_delta(delta, bundle, tmp_path / "more")
    (bundle / "1" / "assets/same").write_bytes(b"")
    for work in (apply_delta, write_delta):
        with pytest.raises(InputError, match="where assets/same is not"):
            work(bundle / "1", delta, tmp_path / "made")
    (bundle / "2" / NAME).unlink()
    with pytest.raises(InputError, match="a bundle version has a manifest"):
        write_delta(bundle / "2", bundle / "2", tmp_path / "more")


@pytest.mark.slow
def test_an_update_is_exported_as_a_delta(tmp_path, monkeypatch):
    """Of a real bundle, with two of its signatures."""
    traced = serving.RankingService.signatures
    room = "tfadrec.serving.bundle"
    monkeypatch.setattr(
        f"{room}.RankingService.signatures",
        lambda service: traced(service, "serving_default", "score_slate"),
    )
    monkeypatch.setattr(f"{room}.check_parity", lambda *_, **__: None)
    monkeypatch.setattr(f"{room}.write_warm_up", lambda *_: None)
    days = [write_day(tmp_path / f"day{day}", day) for day in range(2)]
    runs, out = (tmp_path / "a", tmp_path / "b"), tmp_path / "shop"
    training.train(days[0], small.config(**CONFIG), runs[0], progress=False)
    training.update(runs[0], days[1], runs[1], progress=False)
    since = ("--since", out)
    for run, more in ((runs[0], ()), (runs[1], since)):
        call = ["export", run, "--out", out, *more, "--json"]
        done = CliRunner().invoke(main, [str(part) for part in call])
        assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout.splitlines()[-1])
    delta = out / "deltas" / "2"
    assert answer["delta"] == str(delta)
    size = sum(len(c) for n, c in contents(delta).items() if n != NAME)
    assert answer["delta_bytes"] == size
    full = sum(len(c) for c in contents(out / "2").values())
    print(f"delta {size:,} of {full:,} bytes")
    # All that is dense was learned; the graph stayed, nearly.
    assert size < full / 2
    made = apply_delta(out / "1", delta, tmp_path / "copy" / "2")
    assert contents(made) == contents(out / "2")
    assert folders(made) == folders(out / "2")
    assert version_numbers(out) == [1, 2]
