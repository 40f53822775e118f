"""Every piece of a log is learned once, whenever the follower is killed."""

import json
import os
import pathlib
import shutil
import time

import numpy as np
import pytest
from click.testing import CliRunner

from tests.training import small
from tests.training.test_update import CONFIG, write_day
from tfadrec import training
from tfadrec.cli.main import main
from tfadrec.core.errors import InputError, NothingNewError
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.intake.join_datasets import join_datasets
from tfadrec.data.intake.write import unmake
from tfadrec.data.sources import prepare_table
from tfadrec.runs.folder import run_folder
from tfadrec.training.following import FolderSource, folder_source, follow

GLOBALS = follow.__globals__
STEPS = ("_write_place", "join_datasets", "update", "_write_place")


@pytest.fixture(autouse=True)
def no_moment(monkeypatch):
    """Files are at rest, however young they are."""
    monkeypatch.setattr(folder_source, "_MOMENT", 0)


class Killed(BaseException):
    """In place of a signal."""


def write_run(path, data, model):
    folder = run_folder(path)
    with folder.held():
        record = {"data": str(data), "fingerprint": "", "config": ""}
        folder.write_text("run.json", json.dumps(record))
        folder.write_text("model.keras", model)


def join(first, then, out):
    """Rows are lines, and a day is a file of them."""
    with OwnedFolder(out, "dataset").replacing() as fresh:
        rows = (first_rows(first), then.read_text())
        (fresh / "rows").write_text("".join(rows))


def first_rows(dataset):
    return (pathlib.Path(dataset) / "rows").read_text()


def update(run, data, out, **settings):
    """A model of what the run before was, and all rows."""
    before = (run / "model.keras").read_text()
    write_run(out, data, f"{before}; {' '.join(first_rows(data).split())}")
    return settings


class Lines:
    """One more line each time; the place is how many there were."""

    def __init__(self, folder, count, at_once=1):
        self.folder, self.count, self.at_once = folder, count, at_once

    def next(self, place):
        begin = 0 if place is None else place["line"]
        end = min(begin + self.at_once, self.count)
        if begin == end:
            return None
        day = self.folder / "day"
        day.write_text("".join(f"row{i}\n" for i in range(begin, end)))
        return {"line": end}, day


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A run and a follower that only write texts."""
    monkeypatch.setitem(GLOBALS, "join_datasets", join)
    monkeypatch.setitem(GLOBALS, "update", update)
    with OwnedFolder(tmp_path / "data", "dataset").replacing() as fresh:
        (fresh / "rows").write_text("first\n")
    write_run(tmp_path / "run", tmp_path / "data", "trained")
    return tmp_path / "run"


def contents(out):
    return {
        file.relative_to(out).as_posix(): file.read_bytes()
        for file in out.rglob("*")
        if file.is_file()
        and file.name != "run.json"
        # It has the sum of run.json, which has the path of the rows.
        and not (file.name == "manifest.json" and file.parent.parent == out)
    }


def learn(run, source, out):
    return [path.name for _, path, _ in follow(run, source, out)]


def test_pieces_are_learned_in_order(stub, tmp_path):
    out = tmp_path / "out"
    assert learn(stub, Lines(tmp_path, 0), out) == []
    assert not list(out.glob("*"))
    assert learn(stub, Lines(tmp_path, 2), out) == ["000001", "000002"]
    assert learn(stub, Lines(tmp_path, 2), out) == []
    assert learn(stub, Lines(tmp_path, 3), out) == ["000003"]
    assert (out / "000003/model.keras").read_text() == (
        "trained; first row0; first row0 row1; first row0 row1 row2"
    )
    assert json.loads((out / "000003/place.json").read_text()) == {
        "run": str(stub),
        "place": {"line": 3},
        "learned": True,
    }
    shutil.rmtree(out / "000001")
    assert learn(stub, Lines(tmp_path, 4), out) == ["000004"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(2 * len(STEPS)))
def test_a_kill_loses_and_repeats_nothing(
    stub, tmp_path, monkeypatch, call, after
):
    """Before and after each step of both days."""
    learn(stub, Lines(tmp_path, 2), tmp_path / "whole")
    done = []

    def killing(name, step):
        def work(*args, **settings):
            number = len(done)
            done.append(name)
            if number == call and not after:
                raise Killed
            found = step(*args, **settings)
            if number == call:
                raise Killed
            return found

        return work

    with monkeypatch.context() as patch:
        for name in set(STEPS):
            patch.setitem(GLOBALS, name, killing(name, GLOBALS[name]))
        with pytest.raises(Killed):
            learn(stub, Lines(tmp_path, 2), tmp_path / "out")
    assert tuple(done) == (STEPS * 2)[: call + 1]
    learn(stub, Lines(tmp_path, 2), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_piece_without_a_new_row_is_passed_over(
    stub, tmp_path, monkeypatch, caplog
):
    """It is asked for once, also where the follower has no run yet."""

    def picky(run, data, out, **settings):
        if set(first_rows(data).split()) & old:
            unmake(data)
            raise NothingNewError("nothing")
        return update(run, data, out, **settings)

    monkeypatch.setitem(GLOBALS, "update", picky)
    source, out = Lines(tmp_path, 1), tmp_path / "out"
    asked = []
    next_of = source.next
    source.next = lambda place: (asked.append(place), next_of(place))[1]
    old = {"row0"}
    assert learn(stub, source, out) == []
    assert "no row of {'line': 1} is new" in caplog.text
    assert learn(stub, source, out) == []
    assert asked == [None, {"line": 1}, {"line": 1}]
    source.count = 2
    assert learn(stub, source, out) == ["000001"]
    assert first_rows(out / "000001/data").split() == ["first", "row1"]
    old, source.count = {"row2"}, 3
    assert learn(stub, source, out) == []
    assert learn(stub, source, out) == []
    assert asked[-2:] == [{"line": 3}, {"line": 3}]
    old, source.count = set(), 4
    assert learn(stub, source, out) == ["000002"]
    place = json.loads((out / "000002/place.json").read_text())
    assert place["place"] == {"line": 4}


def test_a_log_that_grew_meanwhile(stub, tmp_path, monkeypatch):
    """What was joined keeps its place; what was not is asked for again."""

    def killed(*_, **__):
        raise Killed

    for step, models in (
        ("update", ["000001", "000002"]),
        ("join_datasets", ["000001"]),
    ):
        out = tmp_path / step
        with monkeypatch.context() as patch:
            patch.setitem(GLOBALS, step, killed)
            with pytest.raises(Killed):
                learn(stub, Lines(tmp_path, 1), out)
        source = Lines(tmp_path, 3, at_once=3)
        assert learn(stub, source, out) == models
        rows = first_rows(out / models[-1] / "data").split()
        assert rows == ["first", "row0", "row1", "row2"]


def test_what_is_refused(stub, tmp_path):
    out = tmp_path / "out"
    learn(stub, Lines(tmp_path, 1), out)
    other = tmp_path / "other"
    write_run(other, tmp_path / "data", "trained")
    with pytest.raises(InputError, match="with the run that it began with"):
        learn(other, Lines(tmp_path, 1), out)
    small.rewrite(out / "000001", "place.json", "{}")
    with pytest.raises(InputError, match=r"place\.json must say"):
        learn(stub, Lines(tmp_path, 1), out)
    (out / "000001/place.json").write_text("{ }")
    with pytest.raises(InputError, match=r"where place\.json is not"):
        learn(stub, Lines(tmp_path, 1), out)


def test_the_folder_of_something_else(stub, tmp_path):
    for name in ("data", "run"):
        before = contents(tmp_path / name)
        with pytest.raises(InputError, match=f"{name}, which (is|also holds)"):
            learn(stub, Lines(tmp_path, 1), tmp_path / name)
        assert contents(tmp_path / name) == before


def test_a_folder_of_datasets(tmp_path):
    source = FolderSource(tmp_path)
    assert source.next(None) is None
    for name in ("b", "a", ".tfadrec-coming"):
        (tmp_path / name).mkdir()
    (tmp_path / "a/rows").write_text("four")
    (tmp_path / "aa.txt").touch()
    assert given(source) == (["a", "b"], {"a": 4, "b": 0})
    with pytest.raises(InputError, match="what is followed is a folder"):
        FolderSource(tmp_path / "no")
    with pytest.raises(InputError, match="Not a directory"):
        FolderSource(tmp_path / "aa.txt")
    with pytest.raises(InputError, match="belong together"):
        FolderSource(tmp_path, "config.yaml")


def given(source, place=None):
    """The days that a source has by now, in their order, and the last place."""
    days, learned = [], {} if place is None else place["learned"]
    while (found := source.next(place)) is not None:
        place, path = found
        assert path.name in {place["day"], "rows"}
        days.append(place["day"])
        learned = place["learned"]
        place = json.loads(json.dumps(place))
    return days, learned


def test_days_that_come_late_or_grow(tmp_path):
    """None of their rows would be learned, and nobody would be told."""
    source = FolderSource(tmp_path)
    for name in ("2", "4"):
        (tmp_path / name).mkdir()
    days, learned = given(source)
    assert days == ["2", "4"]
    (tmp_path / "3").mkdir()
    (tmp_path / "2/rows").write_text("more")
    shutil.rmtree(tmp_path / "4")
    place = {"day": "4", "learned": learned}
    days, learned = given(source, place)
    assert days == ["2", "3"]
    # What is gone need not be remembered; should it come again, it is joined
    # again, and has no new row.
    assert learned == {"2": 4, "3": 0}


ONE_FILE = """
ads: {file: log.csv, deduplicate: true, ad_id: ad, features: {brand: category}}
users: {file: ./log.csv, deduplicate: true, user_id: user,
        features: {age: number}}
events: {file: log.csv, where: {click: 1}, user_id: user, ad_id: ad,
         timestamp: time, event_type: {constant: click}}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
              clicked: click}
"""


def write_log(file, day, ad, broken=0):
    """40 rows of two ads and one more, on the last, and a user of that day."""
    shown = [f"a{i % 2}" for i in range(39)] + [ad]
    rows = [
        f"u{i % 3 if i < 38 else ad},{each},X{each},{20 + i % 3},"
        f"{86400 * day + i},{'?' if i < broken else i % 2}"
        for i, each in enumerate(shown)
    ]
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(["user,ad,brand,age,time,click", *rows]))


def test_ads_and_users_that_stand_in_the_days_file(tmp_path):
    """One row of 40 is of a new ad: few enough to be left out unsaid."""
    (tmp_path / "shop.yaml").write_text(ONE_FILE)
    write_log(tmp_path / "log.csv", 0, "first")
    prepare_table(tmp_path / "shop.yaml", tmp_path / "data")
    write_log(tmp_path / "days/1.csv", 1, "new", broken=1)
    told = []
    source = FolderSource(
        tmp_path / "days",
        tmp_path / "shop.yaml",
        tmp_path / "rows",
        told.append,
    )
    place, day = source.next(None)
    size = (tmp_path / "days/1.csv").stat().st_size
    assert place == {"day": "1.csv", "learned": {"1.csv": size}}
    assert source.next(place) is None
    (summary,) = told
    assert {c.source for c in summary.counts} == {str(tmp_path / "days/1.csv")}
    assert sum(c.rejected for c in summary.counts) == 1
    joined = join_datasets(tmp_path / "data", day, tmp_path / "joined")
    assert joined.sizes["impressions"] == 40 + 39
    assert joined.sizes["ads"] == 4
    files = DatasetFiles(tmp_path / "joined")
    ads = files.table("ads")["ad_id"].to_pylist()
    assert set(ads) == {"a0", "a1", "first", "new"}
    users = files.table("users")["user_id"].to_pylist()
    assert {"ufirst", "unew"} < set(users)


def test_a_file_that_is_being_copied_is_left_for_later(tmp_path, monkeypatch):
    """Its last line is a part of one; those after it are learned meanwhile."""
    days, config = tmp_path / "days", tmp_path / "shop.yaml"
    for day in (1, 2, 3):
        write_log(days / f"{day}.csv", day, "new")
        os.utime(days / f"{day}.csv", (0, 0))
    source = FolderSource(days, config, tmp_path / "rows")
    monkeypatch.setattr(folder_source, "prepare_table", lambda *_, log: None)
    monkeypatch.setattr(folder_source, "_MOMENT", 60)
    waited = []

    def copied(seconds):
        waited.append(seconds)
        with (days / "1.csv").open("a") as file:
            file.write("more")

    monkeypatch.setattr(time, "sleep", copied)
    copied(0)
    assert given(source)[0] == ["2.csv", "3.csv"]
    monkeypatch.setattr(time, "sleep", waited.append)
    assert given(source)[0] == ["1.csv", "2.csv", "3.csv"]
    os.utime(days / "1.csv", (0, 0))
    assert given(source)[0] == ["1.csv", "2.csv", "3.csv"]
    assert waited == [0, 60, 60, 60, 60]


def test_a_quiet_day(tmp_path):
    """Nothing is clicked on it; of a first log that would be a mistake."""
    (tmp_path / "shop.yaml").write_text(ONE_FILE)
    write_log(tmp_path / "log.csv", 0, "first")
    prepare_table(tmp_path / "shop.yaml", tmp_path / "data")
    (tmp_path / "days").mkdir()
    log = (tmp_path / "log.csv").read_text() + "\n"
    log = log.replace(",1\n", ",0\n")
    (tmp_path / "days/1.csv").write_text(log)
    place = [tmp_path / name for name in ("days", "shop.yaml", "rows")]
    _, day = FolderSource(*place).next(None)
    join_datasets(tmp_path / "data", day, tmp_path / "joined")
    call = ["prepare", "table", "--config", place[1], "--out", tmp_path / "one"]
    day = ["--log", tmp_path / "days/1.csv"]
    done = CliRunner().invoke(main, [str(part) for part in (*call, *day)])
    assert done.exit_code == 0, done.output
    assert "clicked is 0" not in done.output
    join_datasets(tmp_path / "data", tmp_path / "one", tmp_path / "again")
    (tmp_path / "log.csv").write_text(log)
    with pytest.raises(InputError, match="`where` must leave events"):
        prepare_table(tmp_path / "shop.yaml", tmp_path / "data")


def test_names_that_no_place_can_hold(tmp_path):
    source = FolderSource(tmp_path)
    for place in (5, "1.csv", {"day": "1.csv"}):
        with pytest.raises(InputError, match="from days on that were learned"):
            source.next(place)
    os.mkdir(os.fsencode(tmp_path) + b"/day\xff")
    with pytest.raises(InputError, match=r"Received: 'day\\udcff'"):
        source.next(None)


def test_a_folder_that_is_a_link_and_vanishes(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    source = FolderSource(tmp_path / "link")
    (tmp_path / "real/a").mkdir()
    place, path = source.next(None)
    assert path == tmp_path / "link/a"
    shutil.rmtree(tmp_path / "real")
    with pytest.raises(InputError, match="link, where there is none"):
        source.next(place)


def test_the_folder_of_its_runs(stub, tmp_path):
    """A link stays one; where it is gone, all is learned again."""
    out = tmp_path / "link"
    out.symlink_to("real")
    assert learn(stub, Lines(tmp_path, 1), out) == ["000001"]
    assert out.is_symlink()
    kept = contents(tmp_path / "real")
    shutil.rmtree(tmp_path / "real")
    assert learn(stub, Lines(tmp_path, 1), out) == ["000001"]
    assert contents(tmp_path / "real") == kept
    for place, error in (
        (tmp_path / "day", InputError),  # a file
        (pathlib.Path("/proc/no"), OSError),  # where no folder can be made
    ):
        with pytest.raises(error) as told:
            learn(stub, Lines(tmp_path, 1), place)
        assert str(place) in str(told.value)
        assert "\n" not in str(told.value)


@pytest.mark.slow
def test_the_command_follows_files(tmp_path):
    """As two updates by hand, from datasets and from files alike."""
    datasets = [write_day(tmp_path / f"day{day}", day) for day in range(3)]
    run = tmp_path / "run"
    training.train(datasets[0], small.config(**CONFIG), run, progress=False)
    hand = run
    for day in (1, 2):
        out = tmp_path / f"hand{day}"
        training.update(hand, datasets[day], out, progress=False)
        hand = out
    (tmp_path / "sets").mkdir()
    (tmp_path / "files").mkdir()
    for day in (1, 2):
        shutil.copytree(datasets[day], tmp_path / f"sets/{day}")
        log = (tmp_path / f"day{day}/log.csv").read_text()
        broken = f"\nu1,a1,{86400 * day},?,1,d0,k0" * (day == 2)
        (tmp_path / f"files/{day}.csv").write_text(log + broken)
    # The last day's list of ads has those of the days before.
    config = ("--config", tmp_path / "day2/shop.yaml")
    for kind, more in (("sets", ()), ("files", config)):
        call = ("update", run, "--follow", tmp_path / kind, *more)
        call = (*call, "--out", tmp_path / f"out_{kind}", "--once", "--json")
        done = CliRunner().invoke(main, [str(part) for part in call])
        assert done.exit_code == 0, done.output
        said = "impressions read = 80 kept + 1 rejected" in done.stdout
        assert said == (kind == "files")
        answer = json.loads(done.stdout.splitlines()[-1])
        assert [len(r["metrics"]) for r in answer["runs"]] == [2, 2]
        assert ["log" in r for r in answer["runs"]] == [said, said]
        for result in answer["runs"]:
            counts = {c["unit"]: c for c in result["joined"]["counts"]}
            assert counts["impressions"]["kept"] == 80
        if said:
            counts = answer["runs"][1]["log"]["counts"]
            told = {c["unit"]: c["rejected"] for c in counts}
            assert told == {"ads": 0, "events": 0, "impressions": 1}
        done = CliRunner().invoke(main, [str(part) for part in call])
        assert json.loads(done.stdout.splitlines()[-1]) == {"runs": []}
    expected = training.load_run(hand)
    found = training.load_run(tmp_path / "out_sets/000002")
    for one, other in zip(
        expected.ranker.variables, found.ranker.variables, strict=True
    ):
        np.testing.assert_array_equal(one, other)
    files = training.load_run(tmp_path / "out_files/000002")
    assert len(files.dataset) == len(expected.dataset)
    place = json.loads((tmp_path / "out_files/000002/place.json").read_text())
    assert place["place"]["day"] == "2.csv"
    for wrong, message in (
        (("--data", datasets[1]), "Received: both"),
        ((), "Received: neither"),
        (("--data", datasets[1], "--once"), "belong to --follow"),
    ):
        follows = ("--follow", tmp_path) if "both" in message else ()
        call = ("update", run, *wrong, *follows, "--out", tmp_path / "x")
        done = CliRunner().invoke(main, [str(part) for part in call])
        assert done.exit_code == 2
        assert message in done.stderr
