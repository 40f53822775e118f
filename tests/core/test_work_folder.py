"""A folder that is filled file by file: whose it is, and that it is whole."""

import os
import pathlib
import subprocess
import sys

import pytest

from tfadrec.core.errors import InputError
from tfadrec.core.manifest import NAME, Manifest, first_damaged
from tfadrec.core.replace_file import replace_text
from tfadrec.core.work_folder import WorkFolder


def thing(out):
    return WorkFolder(
        out,
        "thing",
        others=("logs", "logs/*"),
        mends={"": "Do it again.", "a.txt": "Remove it."},
    )


def fill(out, **texts):
    folder = thing(out)
    with folder.held(), folder.writing() as fresh:
        for name, text in texts.items():
            path = fresh / name.replace("_", "/")
            path.parent.mkdir(exist_ok=True)
            path.with_suffix(".txt").write_text(text)
    return folder


@pytest.fixture
def out(tmp_path):
    (tmp_path / "home").mkdir()
    return fill(tmp_path / "home" / "out", a="old", deep_b="old").path


def names_in(folder):
    paths = folder.rglob("*")
    return sorted(str(p.relative_to(folder)) for p in paths if p.is_file())


def test_files_come_one_by_one(out):
    fill(out, a="new", c="new")
    assert names_in(out) == ["a.txt", "c.txt", "deep/b.txt", NAME]
    assert [(out / n).read_text() for n in ("a.txt", "deep/b.txt")] == [
        "new",
        "old",
    ]
    manifest = Manifest.in_folder(out)
    assert manifest is not None
    assert set(manifest.files) == {"a.txt", "c.txt", "deep/b.txt"}
    assert not manifest.coming
    assert first_damaged(out, list(manifest.files)) is None
    assert os.listdir(out.parent) == ["out"]


def test_files_are_removed_and_all_of_them(out):
    folder = thing(out)
    with folder.held():
        folder.remove(["a.txt"])
        assert names_in(out) == ["deep/b.txt", NAME]
        folder.clear()
    assert names_in(out) == []


@pytest.mark.parametrize("name", ["c.txt", "deep/c.txt", ".hidden", "logs2/x"])
def test_what_the_writer_did_not_write(out, name):
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine")
    for attempt in (thing(out).check, lambda: fill(out, a="new")):
        with pytest.raises(InputError, match=f"which also holds {name}") as e:
            attempt()
        assert "\n" not in str(e.value)
    assert (out / name).read_text() == "mine"
    assert (out / "a.txt").read_text() == "old"


def test_a_link_in_the_folder(out):
    (out / "a.txt").rename(out.parent / "a.txt")
    (out / "a.txt").symlink_to(out.parent / "a.txt")
    with pytest.raises(InputError, match=r"also holds a\.txt"):
        fill(out, a="new")
    assert (out.parent / "a.txt").read_text() == "old"


def test_a_folder_that_a_kill_has_left_empty(out):
    (out / "deep" / "b.txt").unlink()
    fill(out, a="new")
    assert (out / "a.txt").read_text() == "new"
    (out / "deep").rmdir()
    (out / "deep").symlink_to(out.parent)
    with pytest.raises(InputError, match="also holds deep"):
        fill(out, a="newer")


def test_a_folder_where_a_file_was(out):
    (out / "a.txt").unlink()
    (out / "a.txt" / "in").mkdir(parents=True)
    with pytest.raises(InputError, match=r"also holds a\.txt"):
        fill(out, a="new")


@pytest.mark.parametrize(
    ("name", "mend"), [("a.txt", "Remove it"), ("deep/b.txt", "Do it again")]
)
def test_what_was_changed(out, name, mend):
    (out / name).write_text("odd")
    message = f"files must be as they were written.*{name} is not. {mend}"
    with pytest.raises(InputError, match=message):
        fill(out, c="new")
    assert first_damaged(out, ["a.txt", "deep/b.txt"]) == name


def test_what_others_may_write_is_left_alone(out):
    (out / "logs").mkdir()
    (out / "logs" / "x").write_text("mine")
    fill(out, a="new")
    folder = thing(out)
    with folder.held():
        folder.clear()
    assert names_in(out) == ["logs/x"]


def test_what_others_may_change_is_not_replaced(tmp_path):
    """It is the writer's as long as nobody has changed it."""
    folder = WorkFolder(tmp_path / "out", "thing", others=("*",))
    with folder.held():
        folder.write_text("a", "1")
        folder.write_text("b", "1")
    (folder.path / "a").write_text("mine")
    with folder.held():
        assert (folder.is_own("a"), folder.is_own("b")) == (False, True)
        folder.write_text("b", "2")
        with pytest.raises(InputError, match="also holds a"):
            folder.write_text("a", "2")
        folder.adopt("a")
        folder.write_text("a", "3")
    assert (folder.path / "a").read_text() == "3"


def test_a_missing_file_is_damaged_and_one_that_nobody_lists(out):
    assert first_damaged(out, ["c.txt"]) is None
    (out / "c.txt").touch()
    assert first_damaged(out, ["c.txt"]) == "c.txt"
    (out / "a.txt").unlink()
    assert first_damaged(out, ["a.txt"]) == "a.txt"
    (out / NAME).unlink()
    assert first_damaged(out, ["a.txt", "c.txt"]) is None


def test_a_file_that_was_to_come_when_the_writer_was_killed(tmp_path):
    """It may be there by now, and it may not."""
    (tmp_path / "a.txt").write_text("a")
    coming = Manifest.of(tmp_path, "thing").files
    Manifest("thing", {}, coming).write(tmp_path)
    assert first_damaged(tmp_path, ["a.txt"]) is None
    (tmp_path / "a.txt").write_text("b")
    assert first_damaged(tmp_path, ["a.txt"]) == "a.txt"
    (tmp_path / "a.txt").unlink()
    assert first_damaged(tmp_path, ["a.txt"]) is None


def test_a_reader_beside_a_writer(out, monkeypatch):
    """A file that does not fit counts where the manifest stays the same."""
    holds, calls = Manifest.holds, []

    def late(manifest, folder, name):
        calls.append(name)
        if len(calls) == 1:
            fill(out, a="new")
        return holds(manifest, folder, name)

    monkeypatch.setattr(Manifest, "holds", late)
    assert first_damaged(out, ["a.txt"]) is None
    assert len(calls) > 1


def test_another_kind(out):
    with pytest.raises(InputError, match="which is a thing"):
        WorkFolder(out, "run").check()


def test_one_process_at_a_time(out):
    with thing(out).held():
        for attempt in (thing(out).check, lambda: fill(out, a="new")):
            with pytest.raises(InputError, match="one process at a time") as e:
                attempt()
            assert "\n" not in str(e.value)
    fill(out, a="new")


def test_a_lock_ends_with_its_process(out):
    code = f"""
import os
from tfadrec.core.work_folder import WorkFolder
with WorkFolder({str(out)!r}, "thing").held():
    os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    fill(out, a="new")


def test_a_call_that_writes_nothing_leaves_nothing(tmp_path):
    out = tmp_path / "new"
    thing(out).check()
    with pytest.raises(KeyError), thing(out).held():
        raise KeyError
    assert not out.exists()
    out.mkdir()
    with thing(out).held():
        pass
    assert out.exists()


@pytest.mark.parametrize("path", ["file", "file/deeper"])
def test_a_file_in_the_way(tmp_path, path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is written to a folder"):
        thing(tmp_path / path).check()
    with (
        pytest.raises(InputError, match="is written to a folder"),
        thing(tmp_path / path).held(),
    ):
        pass
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("path", ["", "a\0b", "s3://bucket/x"])
def test_a_path_that_names_no_local_folder(path):
    with pytest.raises(InputError):
        thing(path)


def test_a_folder_of_an_older_version(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    folder = WorkFolder(tmp_path, "thing", older=lambda _: {"a.txt"})
    with folder.held():
        folder.write_text("b.txt", "new")
    assert set(Manifest.in_folder(tmp_path).files) == {"a.txt", "b.txt"}


def test_a_single_file(tmp_path):
    replace_text(tmp_path / "a", "1")
    replace_text(tmp_path / "a", "2")
    assert (tmp_path / "a").read_text() == "2"
    assert os.listdir(tmp_path) == ["a"]


CRASHING = """
import os, pathlib, signal, sys
from tfadrec.core.manifest import Manifest, first_damaged
from tfadrec.core.work_folder import WorkFolder

out, how = pathlib.Path(sys.argv[1]), sys.argv[2]

def fill(version):
    folder = WorkFolder(out, "thing")
    with folder.held():
        with folder.writing() as fresh:
            for name in ("a", "b"):
                (fresh / name).write_text(version)
        if version == "new":
            folder.remove(["c"])
        else:
            folder.write_text("c", version)

states, moment = [], 0
while True:
    moment += 1
    fill("old")
    child = os.fork()
    if not child:
        left = moment

        def step(event, arguments):
            # Each of these comes before the system is asked to do something.
            global left
            if event.startswith(("os.", "open", "shutil", "fcntl")):
                left -= 1
                if not left:
                    if how == "kill":
                        os.kill(os.getpid(), signal.SIGKILL)
                    raise KeyboardInterrupt

        sys.addaudithook(step)
        code = 3
        try:
            fill("new")
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    # A reader finds whole files before any writer has mended anything.
    there = [name for name in "abc" if (out / name).exists()]
    assert {"a", "b"} <= set(there)
    assert first_damaged(out, there) is None, moment
    state = "".join((out / name).read_text()[0] for name in there)
    states.append(state)
    fill("new")
    assert sorted(os.listdir(out)) == ["a", "b", "manifest.json"]
    assert os.listdir(out.parent) == [out.name]
    if status == 0:
        break
print(*states)
"""


@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_old_or_new_whatever_step_is_the_last(tmp_path, how):
    """A process is ended before each single call to the system in turn."""
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CRASHING, tmp_path / "home" / "out", how],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    states = done.stdout.split()
    assert len(states) > 20
    # "a" becomes new, then "b", then "c" is removed.
    order = ["ooo", "noo", "nno", "nn"]
    assert states == sorted(states, key=order.index)
    assert set(states) == set(order)


def test_the_manifest_of_files_that_come(tmp_path):
    facts = {"x": (1, "a")}
    manifest = Manifest("thing", facts, {"x": (2, "b"), "y": (3, "c")})
    assert Manifest.from_json(manifest.to_json(), "m") == manifest
    assert manifest.facts_of("x") == [(1, "a"), (2, "b")]
    assert manifest.facts_of("y") == [(3, "c")]
    assert manifest.facts_of("z") == []


def test_a_path_is_kept_as_it_was_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("x").write_text("")
    with pytest.raises(InputError, match=r"Received: x,"):
        thing("x").check()
