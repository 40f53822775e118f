"""What each command writes, and what it may leave where it is ended."""

import shutil

from tests.crash import commands
from tests.crash.forks import Forks
from tfadrec.core.manifest import NAME, Manifest, first_damaged
from tfadrec.core.replace_page import _is_own
from tfadrec.serving.ad_record import DOWN as TAKEN_DOWN

#: Bytes that are the same whenever they are written.
EQUAL = (
    *("ads.parquet", "impressions.parquet", "vectors.npy", "vectors.parquet"),
    *("model.keras", "model.safetensors", "state.json", "best.yaml"),
    *("day.json", "place.json", TAKEN_DOWN),
    *("calibration.json", "saved_model.pb", "fingerprint.pb", "table.bin"),
    *("variables.index", "variables.data-00000-of-00001"),
    *("tf_serving_warmup_requests", "m.html"),
)
_LABELS, _DELTAS = "models.config", "/deltas/"
#: Of folders that are filled file by file; the others are replaced as a whole.
_FILLED = ("run", "pretraining", "search", "bundle", "replay")


class World:
    """Inputs of every command, and what it writes when nobody ends it.

    Args:
      folder: an empty one.
    """

    def __init__(self, folder):
        self.folder, self.whole = folder, folder / "whole"
        self.inputs = folder / "inputs"
        commands.write_inputs(self.inputs, self.whole)
        self.forks = Forks()
        #: Of a processor, that all commands have taken so far.
        self.seconds = 0.0
        self.ended = {}
        for name in commands.ORDER:
            home = self.whole / name
            self.furnish(name, home)
            ended = self.ended[name] = self.run(name, home)
            # 3 is an alarm.
            assert ended.code == (3 if name == "monitor" else 0), ended.said
            if name == "export":
                commands.write_requests(self.inputs, home / "out")

    def furnish(self, name, home):
        """What a command needs to be there."""
        home.mkdir(parents=True)
        for place, source in commands.FURNITURE.get(name, {}).items():
            shutil.copytree(self.whole / source, home / place)

    def begin(self, name, home, chance):
        """The same, and at times what an earlier call has written."""
        self.furnish(name, home)
        if name in commands.OLDER and chance.randrange(2):
            older = self.whole / commands.OLDER[name]
            shutil.copytree(older / "out", home / "out")

    def run(self, name, home, **options):
        """Runs a command; see `Forks.run`."""
        line = commands.command(name, self.inputs, self.whole, home)
        ended = self.forks.run(line, home, **options)
        self.seconds += ended.seconds
        return ended

    def tell(self, name, number, of):
        """Says how far it is: whoever waits sees it with `-s`."""
        print(f"{number}/{of} {name} {self.seconds:.0f} s", flush=True)

    def is_done(self, name, ended):
        """Whether a call has done its work, or found it done."""
        is_no_more = ended.code == 2 and commands.DONE.get(name, "\0") in (
            ended.said
        )
        return ended.code == self.ended[name].code or is_no_more

    def check(self, name, home):
        """What an ended command has left is old or new, whole."""
        for file in home.rglob(NAME):
            if not any(part.startswith(".") for part in file.parts):
                _check_files(file.parent)
        for page in home.rglob("*.html"):
            assert _is_own(page.read_bytes(), None), page
        for version in home.glob("out/[0-9]*"):
            # A follower's runs have numbers as well.
            assert name == "follow" or (version / "saved_model.pb").is_file()
        if name == "prepare" and (home / "out").exists():
            self._is_one_of(home, f"out/{NAME}", ("old", "prepare"))
        if name == "monitor" and (home / "m.prom").exists():
            # It tells the time, so that its bytes differ.
            assert len(_lines(home)) == len(_lines(self.whole / "monitor"))
        if name in ("remove", "restore"):
            # Nothing gives an ad before it may, or lacks it and is not listed.
            written = home / "out" / TAKEN_DOWN
            is_down = written.exists() and commands.DOWN in written.read_text()
            newest = max(int(path.name) for path in home.glob("out/[0-9]*"))
            # One that was killed behind its version writes another.
            assert is_down or newest == 1 or (name == "restore" and newest >= 3)
        if name in ("promote", "rollback"):
            before = commands.FURNITURE[name]["out"].split("/")[0]
            self._is_one_of(home, f"out/{_LABELS}", (before, name))

    def _is_one_of(self, home, file, names):
        found = (home / file).read_bytes()
        assert found in [(self.whole / n / file).read_bytes() for n in names]

    def check_new(self, name, home):
        """All that it is to write is there, and nothing is left behind."""
        self.check(name, home)
        assert left_behind(home) == []
        expected, found = sums(self.whole / name), sums(home)
        if name == "delta":
            # A call that wrote a version and no delta is followed by a version
            # and its delta.
            expected = {k: v for k, v in expected.items() if _DELTAS not in k}
            newest = max(home.glob("out/[0-9]*"), key=lambda each: each.name)
            assert (home / f"out{_DELTAS}{newest.name}" / NAME).is_file()
        assert expected == {k: found.get(k) for k in expected}
        if name in ("promote", "rollback"):
            self._is_one_of(home, f"out/{_LABELS}", (name,))


def _lines(home):
    return (home / "m.prom").read_text().splitlines(keepends=True)


def _check_files(folder):
    manifest = Manifest.in_folder(folder)
    names = list(manifest.files)
    if manifest.kind in _FILLED:
        names = [name for name in names if (folder / name).exists()]
    assert first_damaged(folder, names) is None, folder


def sums(home):
    """Path -> bytes of the files that are always the same."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.name in EQUAL
    }


def left_behind(home):
    """What a killed call has left beside what it was writing."""
    return [p for p in home.rglob("*") if p.name.startswith(".")]
