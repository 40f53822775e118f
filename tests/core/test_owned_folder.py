"""Whose folder it is, and that it is whole at every moment."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.killed import leave
from tfadrec.core import owned_folder, scratch_folder
from tfadrec.core.errors import InputError
from tfadrec.core.exchange import exchange
from tfadrec.core.manifest import NAME, Manifest
from tfadrec.core.owned_folder import OwnedFolder


def fill(out, content="new", names=("a.txt", "deep/b.txt"), **options):
    with OwnedFolder(out, "thing", **options).replacing() as fresh:
        for name in names:
            (fresh / name).parent.mkdir(exist_ok=True)
            (fresh / name).write_text(content)


def names_in(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in pathlib.Path(folder).rglob("*")
        if not path.is_dir()
    )


WHOLE = ["a.txt", "deep/b.txt", NAME]


@pytest.fixture(params=["exchange", "without"])
def out(request, monkeypatch, tmp_path):
    """A path in a folder of its own, on systems with and without exchange."""
    if request.param == "without":
        monkeypatch.setattr(owned_folder, "exchange", lambda one, two: False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / "out"


def alone(out):
    """Whether nothing stands beside a folder."""
    return os.listdir(out.parent) == [out.name]


def test_a_folder_is_made_and_replaced(out):
    fill(out, "old", ["a.txt", "gone/c.txt"])
    assert names_in(out) == ["a.txt", "gone/c.txt", NAME]
    fill(out)
    assert names_in(out) == WHOLE
    assert (out / "a.txt").read_text() == "new"
    assert alone(out)


def test_the_manifest_holds_sizes_and_sums(out):
    fill(out, "abc", ["a.txt"])
    # The SHA-256 of "abc" is the example of the standard, FIPS 180-2.
    assert Manifest.in_folder(out) == Manifest(
        "thing",
        {
            "a.txt": (
                3,
                "ba7816bf8f01cfea414140de5dae2223"
                "b00361a396177a9cb410ff61f20015ad",
            )
        },
    )


def test_equal_content_is_equal_byte_by_byte(out, tmp_path):
    fill(out)
    fill(tmp_path / "other")
    assert (out / NAME).read_bytes() == (tmp_path / "other" / NAME).read_bytes()


def test_an_empty_folder_may_be_taken_and_missing_parents_are_made(out):
    out.mkdir()
    fill(out)
    fill(out.parent / "x" / "y")
    assert names_in(out) == names_in(out.parent / "x" / "y") == WHOLE


def foreign_file(out):
    (out / "thesis.docx").write_text("years")
    return "thesis.docx"


def foreign_folder(out):
    (out / "run").mkdir()
    return "run"


def foreign_run(out):
    (out / "run").mkdir()
    (out / "run" / "model.keras").write_text("weights")
    return "run/model.keras"


def foreign_link(out):
    (out / "link").symlink_to("/")
    return "link"


def hidden_file(out):
    (out / ".notes").write_text("mine")
    return ".notes"


def pipe(out):
    os.mkfifo(out / "pipe")
    return "pipe"


def edited_file(out):
    (out / "a.txt").write_text("NEW")
    return "a.txt"


def longer_file(out):
    with (out / "deep" / "b.txt").open("a") as stream:
        stream.write("!")
    return "deep/b.txt"


@pytest.mark.parametrize(
    "add",
    [
        foreign_file,
        foreign_folder,
        foreign_run,
        foreign_link,
        hidden_file,
        pipe,
        edited_file,
        longer_file,
    ],
)
def test_what_the_writer_did_not_write_is_an_error_that_names_it(out, add):
    fill(out)
    name = add(out)
    before = names_in(out)
    for attempt in (OwnedFolder(out, "thing").check, lambda: fill(out)):
        with pytest.raises(InputError) as raised:
            attempt()
        assert name in str(raised.value)
        assert "\n" not in str(raised.value)
        assert "takes the place of a thing" in str(raised.value)
    assert names_in(out) == before
    assert alone(out)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "does not"),
        ("{}", "does not"),
        ('{"name": "a web app"}', "does not"),
        ('{"tfadrec": "thing", "files": {"../x": 1}}', "does not"),
        ("[" * 100_000, "does not"),
        ("\xff", "does not"),
    ],
)
@pytest.mark.parametrize("kept", [NAME, "a.txt"])
def test_a_manifest_of_others(out, content, reason, kept):
    out.mkdir()
    (out / NAME).write_bytes(content.encode("latin-1"))
    (out / kept).touch()
    with pytest.raises(InputError, match=reason):
        fill(out)
    assert (out / NAME).exists()


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "", ".", "a//b", "a/./b", "a\\u0000"]
)
def test_a_manifest_that_names_files_elsewhere_is_none(path):
    facts = '{"bytes": 1, "sha256": ""}'
    text = f'{{"tfadrec": "t", "files": {{"{path}": {facts}}}}}'
    with pytest.raises(InputError, match="must list the files"):
        Manifest.from_json(text, "m")


def test_a_folder_of_another_writer(out):
    with OwnedFolder(out, "other thing").replacing() as fresh:
        (fresh / "a.txt").touch()
    with pytest.raises(InputError, match="which is a other thing"):
        fill(out)


def test_a_file_that_is_gone_is_no_hindrance(out):
    fill(out)
    (out / "a.txt").unlink()
    fill(out)
    assert names_in(out) == WHOLE


def test_a_folder_without_a_manifest(out):
    out.mkdir()
    (out / "a.txt").write_text("of old")
    with pytest.raises(
        InputError, match=r"holds a\.txt, and no manifest\.json"
    ):
        fill(out)
    (out / "b.txt").write_text("mine")
    with pytest.raises(InputError, match=r"also holds b\.txt"):
        fill(out, older=lambda folder: {"a.txt"})
    (out / "b.txt").unlink()
    seen = []
    fill(out, older=lambda folder: seen.append(folder) or {"a.txt", "c.txt"})
    assert set(seen) == {out}
    assert names_in(out) == WHOLE


def test_a_whole_disk_is_not_looked_through(out, monkeypatch):
    """The first file that is not of the writer is enough."""
    out.mkdir()
    (out / "a.txt").touch()
    (out / "deep").mkdir()
    looked = []
    scan = os.scandir
    monkeypatch.setattr(
        os, "scandir", lambda place: looked.append(place) or scan(place)
    )
    with pytest.raises(InputError, match=r"holds a\.txt, and no manifest"):
        fill(out)
    assert out / "deep" not in looked


def test_a_file_in_the_way(out):
    out.write_text("a file")
    with pytest.raises(InputError, match="which is something else"):
        fill(out)
    assert out.read_text() == "a file"


def test_a_link_stays_a_link(out, tmp_path):
    fill(out, "old")
    link = tmp_path / "link"
    link.symlink_to(out)
    fill(link)
    assert link.is_symlink()
    assert (out / "a.txt").read_text() == "new"
    assert alone(out)
    nowhere = tmp_path / "nowhere"
    nowhere.symlink_to(tmp_path / "made")
    fill(nowhere)
    assert names_in(tmp_path / "made") == WHOLE


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "has a name"),
        ("a\0b", "has a name"),
        ("s3://bucket/x", "written to a local folder"),
        ("~no-such-user-here/x", "home of an unknown user"),
    ],
)
def test_a_path_that_names_no_local_folder(path, reason):
    with pytest.raises(InputError, match=reason):
        OwnedFolder(path, "thing")


def test_a_circle_of_links(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match="leads back to itself"):
        OwnedFolder(tmp_path / "a", "thing")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_is_not_finished_changes_nothing(out, error):
    fill(out, "old")

    def half():
        with OwnedFolder(out, "thing").replacing() as fresh:
            (fresh / "a.txt").write_text("half")
            raise error

    with pytest.raises(error):
        half()
    assert names_in(out) == WHOLE
    assert (out / "a.txt").read_text() == "old"
    assert alone(out)


def test_a_file_that_comes_while_the_writer_works(out):
    fill(out, "old")

    def slowly():
        with OwnedFolder(out, "thing").replacing() as fresh:
            (fresh / "a.txt").write_text("new")
            (out / "late.txt").write_text("mine")

    with pytest.raises(InputError, match=r"late\.txt"):
        slowly()
    assert (out / "late.txt").read_text() == "mine"
    assert (out / "a.txt").read_text() == "old"
    assert alone(out)


def test_a_file_that_comes_in_the_last_moment(monkeypatch, tmp_path):
    out = tmp_path / "out"
    fill(out, "old")
    moments = []

    def late(one, two):
        if not moments:
            (out / "late.txt").write_text("mine")
        moments.append((one, two))
        return exchange(one, two)

    monkeypatch.setattr(owned_folder, "exchange", late)
    with pytest.raises(InputError, match=r"also holds late\.txt"):
        fill(out)
    assert len(moments) == 2
    assert (out / "late.txt").read_text() == "mine"
    assert (out / "a.txt").read_text() == "old"
    assert alone(out)


def test_the_folders_of_others_beside_it_stay(out):
    fill(out)
    others = [".tfadrec-thing-notes", ".out-notes", ".tfadrec-other-0-0"]
    for name in others:
        (out.parent / name).mkdir()
    fill(out.parent / "second")
    fill(out)
    assert sorted(os.listdir(out.parent)) == sorted([*others, "out", "second"])


def test_whether_a_folder_is_made(out):
    folder = OwnedFolder(out, "thing")
    assert not folder.is_made
    fill(out)
    with scratch_folder.scratch_folder(out, "thing") as scratch:
        assert folder.is_made
        assert scratch.exists()
    leave(out, "thing")
    assert folder.is_made
    assert alone(out)


def test_the_scratch_of_a_call_that_still_runs_stays(out):
    fill(out)
    with OwnedFolder(out, "thing").replacing() as fresh:
        (fresh / "a.txt").write_text("slower")
        fill(out, "quicker", ["a.txt"])
        assert fresh.exists()
    assert (out / "a.txt").read_text() == "slower"
    assert alone(out)


def test_rights_are_those_of_before_or_of_new_folders(out):
    fill(out)
    umask = os.umask(0)
    os.umask(umask)
    assert out.stat().st_mode & 0o777 == 0o777 & ~umask
    out.chmod(0o750)
    fill(out)
    assert out.stat().st_mode & 0o777 == 0o750


def test_exchange(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.write_text("2")
    if exchange(one, two):
        assert one.read_text() == "2"
        assert two.is_dir()
    with pytest.raises(FileNotFoundError):
        exchange(one, tmp_path / "three")


def test_a_name_as_long_as_names_can_be(tmp_path):
    fill(tmp_path / ("n" * 255))
    fill(tmp_path / ("n" * 255), "newer")
    assert len(os.listdir(tmp_path)) == 1


CRASHING = """
import json, os, pathlib, signal, sys
from tfadrec.core import owned_folder
from tfadrec.core.owned_folder import OwnedFolder

out, how, first = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "first"
removes = sys.argv[3] == "removed"
if sys.argv[4] == "without":
    owned_folder.exchange = lambda one, two: False
WHOLE = {"old": {"a.txt", "b.txt"}, "new": {"b.txt", "c.txt"}}

def fill(version):
    with OwnedFolder(out, "thing").replacing() as fresh:
        for name in sorted(WHOLE[version]):
            (fresh / name).write_text(version)

def state():
    if not out.exists():
        return "none"
    found = {p.name: p.read_text() for p in out.iterdir()}
    manifest = found.pop("manifest.json")
    version = found["b.txt"]
    assert found == dict.fromkeys(WHOLE[version], version), found
    assert set(json.loads(manifest)["files"]) == WHOLE[version]
    return version

def remove():
    if out.exists():
        for path in out.iterdir():
            path.unlink()
        out.rmdir()

states, moment = [], 0
while True:
    moment += 1
    remove()
    if not first:
        fill("old")
    child = os.fork()
    if not child:
        left = moment

        def step(event, arguments):
            # Each of these comes before the system is asked to do something.
            global left
            if event.startswith(("os.", "open", "shutil", "ctypes", "fcntl")):
                left -= 1
                if not left:
                    if how == "kill":
                        os.kill(os.getpid(), signal.SIGKILL)
                    raise KeyboardInterrupt

        sys.addaudithook(step)
        code = 3
        try:
            OwnedFolder(out, "thing").remove() if removes else fill("new")
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    OwnedFolder(out, "thing").check()
    states.append(state())
    beside = [name for name in os.listdir(out.parent) if name != out.name]
    assert not beside, (moment, beside)
    fill("new")
    assert state() == "new"
    assert os.listdir(out.parent) == [out.name]
    if status == 0:
        break
print(*states)
"""


@pytest.mark.parametrize("exchanging", ["exchange", "without"])
@pytest.mark.parametrize("before", ["first", "again", "removed"])
@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_old_or_new_whatever_step_is_the_last(
    tmp_path, exchanging, before, how
):
    """A process is ended before each single call to the system in turn."""
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            CRASHING,
            tmp_path / "home" / "out",
            how,
            before,
            exchanging,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    states = done.stdout.split()
    # First all is as before, and from one moment on it is new, or gone.
    old = "none" if before == "first" else "old"
    new = "none" if before == "removed" else "new"
    assert len(states) > 15
    assert set(states) == {old, new}
    assert states == sorted(states, key=[new, old].index, reverse=True)


def test_what_is_moved_away_is_moved_back(tmp_path):
    """Without an exchange a kill leaves the old folder hidden, and whole."""
    out = tmp_path / "out"
    fill(out, "old")
    with scratch_folder.scratch_folder(out, "thing") as scratch:
        os.rename(out, scratch / "old")
    assert (out / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_is_removed_unless_something_else_is_in_it(out):
    folder = OwnedFolder(out, "thing")
    folder.remove()  # where there is none
    with folder.replacing() as fresh:
        (fresh / "a.txt").write_text("a")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"which also holds notes\.txt"):
        folder.remove()
    assert (out / "a.txt").exists()
    (out / "notes.txt").unlink()
    folder.remove()
    assert not out.exists()
