"""A run that goes on with the next day's rows."""

import json
import operator
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from tests.data import tiny_encoder
from tests.training import small
from tests.training.test_going_on import SCHEDULE
from tfadrec import data, training
from tfadrec.cli.main import main
from tfadrec.core.errors import InputError
from tfadrec.data.sources import prepare_table
from tfadrec.runs.record import GROWN, read_record
from tfadrec.training import text as text_of_runs
from tfadrec.training.saved_state import fixed_rate
from tfadrec.training.without_steps import refit

YAML = """
ads: {file: ads.csv, ad_id: id, title: name, features: {brand: category}}
impressions:
  file: log.csv
  user_id: user
  ad_id: ad
  timestamp: time
  clicked: click
  features: {hour: number, device: category}
events: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
         event_type: kind, where: {click: 1}}
"""
CONFIG = {"fit": {"epochs": 2, "steps_per_epoch": 4, "batch_size": 16}}


def write_day(folder, day):
    """A day's log: each day a new ad, brand, user, device and event type."""
    random = np.random.default_rng(day)
    folder.mkdir()
    ads = [f"a{i}" for i in range(4 + day)]
    lines = [f"{ad},name {ad},b{min(i, 3 + day)}" for i, ad in enumerate(ads)]
    (folder / "ads.csv").write_text("\n".join(["id,name,brand", *lines]))
    rows = [
        f"u{random.integers(5 + day)},{random.choice(ads)},"
        f"{86400 * day + 100 * i},{random.integers(2)},"
        f"{random.integers(24) + 3 * day},d{random.integers(2 + day)},"
        f"k{random.integers(1 + day)}"
        for i in range(80)
    ]
    header = "user,ad,time,click,hour,device,kind"
    (folder / "log.csv").write_text("\n".join([header, *rows]))
    (folder / "shop.yaml").write_text(YAML)
    prepare_table(folder / "shop.yaml", folder / "data")
    return folder / "data"


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Folders of three days' datasets, and of a run on the first.

    The run reads the ad copy by a language model that stays as it is.
    """
    folder = tmp_path_factory.mktemp("days")
    datasets = [write_day(folder / f"day{day}", day) for day in range(3)]
    model = str(tiny_encoder.write_model(folder / "model"))
    config = small.config(
        text={"model": model, "max_tokens": 8},
        calibration={"method": "platt"},
        **CONFIG,
    )
    with small.untraced():
        training.train(datasets[0], config, folder / "run", progress=False)
    return folder / "run", datasets


@pytest.fixture(scope="module")
def updated(days, tmp_path_factory):
    """The run after the second day."""
    run, datasets = days
    out = tmp_path_factory.mktemp("updated") / "run"
    with small.untraced():
        return training.update(run, datasets[1], out, progress=False), out


def test_all_that_is_new_joins(days, updated):
    _, datasets = days
    result, _ = updated
    whole = result.dataset
    assert len(whole) == 160
    assert whole.catalogue.ad_ids.tolist() == ["a0", "a1", "a2", "a3", "a4"]
    assert "u5" in whole.user_ids
    assert whole.schema.event_types == ("k0", "skipped", "k1")
    devices = next(f for f in whole.schema.features if f.name == "device")
    assert devices.vocabulary == ("d0", "d1", "d2")
    hours = next(f for f in whole.schema.features if f.name == "hour")
    first = data.open_dataset(datasets[0]).schema
    assert hours in first.features
    assert result.ranker.ad_tower.num_rows == 6


def test_the_record_tells_what_the_dataset_grew_from(days, updated):
    run, _ = days
    _, out = updated
    assert read_record(out)[GROWN] == read_record(run)["fingerprint"]


def test_rows_are_learned_once(days, updated):
    """The run's own held-out rows, and the day's but for its last ones."""
    run, _ = days
    before = training.load_run(run)
    result, _ = updated
    # 80 % of 80 rows, and 10 % each: the day's last are held out.
    assert [len(p) for p in (result.train, result.valid, result.test)] == [
        80 + 64,
        8,
        8,
    ]
    assert result.test.impressions.times.min() > 86400
    steps = result.ranker.optimizer.iterations.numpy()
    learned = (len(before.valid) + len(before.test) + 64) // 16
    assert steps == before.ranker.optimizer.iterations.numpy() + learned


def test_what_is_in_memory_is_not_read_again(
    days, updated, untraced, tmp_path, monkeypatch
):
    """A run that is given, and the model that has read the ad copy."""
    run, datasets = days
    before = training.load_run(run, optimizer=True)
    kept = [v.numpy() for v in before.ranker.variables]

    def read(*_, **__):
        pytest.fail("it was read")

    monkeypatch.setitem(training.update.__globals__, "load_run", read)
    monkeypatch.setattr(text_of_runs, "text_model", read)
    out = tmp_path / "run"
    result = training.update(
        run, datasets[1], out, progress=False, before=before
    )
    for one, other in zip(
        result.ranker.variables, updated[0].ranker.variables, strict=True
    ):
        np.testing.assert_array_equal(one, other)
    for variable, value in zip(before.ranker.variables, kept, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_batches_are_of_a_size_for_the_rows_of_the_day(
    days, updated, untraced, tmp_path
):
    """Where none was given; that of the run was for its own rows."""
    _, datasets = days
    _, out = updated
    assert training.load_run(out).config.fit["batch_size"] == 16  # was given
    config = small.config(fit={"batch_size": None, "epochs": 1})
    run = tmp_path / "run"
    training.train(datasets[0], config, run, progress=False)
    record = json.loads((run / "run.json").read_text())
    settings = record["settings"].replace("batch_size: 64", "batch_size: 512")
    small.rewrite(run, "run.json", json.dumps({**record, "settings": settings}))
    assert training.load_run(run).config.fit["batch_size"] == 512
    result = training.update(run, datasets[1], tmp_path / "b", progress=False)
    assert result.config.fit["batch_size"] == 64
    again = training.load_run(tmp_path / "b")
    assert again.config == result.config
    [steps] = {r.ranker.optimizer.iterations.numpy() for r in (result, again)}
    before = training.load_run(run).ranker.optimizer.iterations.numpy()
    assert steps == before + (16 + 64) // 64


def test_rows_so_far_are_split_as_a_whole_by_who_trains_anew(
    days, updated, untraced, tmp_path
):
    _, out = updated
    config = small.config(**CONFIG)
    again = training.train(out / "data", config, tmp_path, progress=False)
    parts = [len(p) for p in (again.train, again.valid, again.test)]
    assert parts == [128, 16, 16]


def test_a_share_is_rehearsed(days, untraced, tmp_path):
    run, datasets = days
    before = training.load_run(run)
    result = training.update(
        run, datasets[1], tmp_path / "run", rehearse=1.0, progress=False
    )
    steps = result.ranker.optimizer.iterations.numpy()
    assert steps == before.ranker.optimizer.iterations.numpy() + 144 // 16


def test_steps_are_as_long_as_the_rate_tells(days, untraced, tmp_path):
    """A ranker that goes on has the rate of its run again."""
    run, datasets = days
    result = training.update(
        run, datasets[1], tmp_path / "run", rate=1e-6, progress=False
    )
    before = training.load_run(run)
    grown = training.grow_vocabulary(
        before.ranker, before.dataset, result.dataset
    )
    refit(grown, result.train)
    for known, found in zip(
        grown.trainable_variables,
        result.ranker.trainable_variables,
        strict=True,
    ):
        np.testing.assert_allclose(found, known, atol=1e-6)
    rate = fixed_rate(before.ranker.optimizer)
    assert fixed_rate(result.ranker.optimizer) == rate


def test_a_schedule_keeps_its_rate(days, untraced, tmp_path):
    _, datasets = days
    config = small.config(optimizer=SCHEDULE, **CONFIG)
    run = tmp_path / "run"
    training.train(datasets[0], config, run, progress=False)
    with pytest.raises(InputError, match=r"rate=0\.5, .*schedule"):
        training.update(run, datasets[1], tmp_path / "b", rate=0.5)


def test_it_is_a_run(updated, tmp_path):
    result, out = updated
    again = training.load_run(out)
    [(inputs, _)] = result.test.batches(100)
    np.testing.assert_array_equal(
        result.ranker(inputs)["clicked"], again.ranker(inputs)["clicked"]
    )
    np.testing.assert_array_equal(
        again.test.impressions.times, result.test.impressions.times
    )


def test_in_memory_it_is_as_it_was_written(updated):
    """A follower goes on with the one, and after a kill with the other."""
    result, out = updated
    again = training.load_run(out, optimizer=True)
    for name in ("config", "history", "best_epoch", "monitor"):
        assert getattr(again, name) == getattr(result, name)
    assert {t: c.to_dict() for t, c in again.calibration.tasks.items()} == {
        t: c.to_dict() for t, c in result.calibration.tasks.items()
    }
    assert again.dataset.schema == result.dataset.schema
    for part in ("dataset", "train", "valid", "test", "learned"):
        ours, theirs = (getattr(run, part) for run in (result, again))
        for ids in ("user_ids", "catalogue.ad_ids"):
            get = operator.attrgetter(ids)
            np.testing.assert_array_equal(get(ours), get(theirs))
        [(one, labels)], [(other, others)] = (
            part.batches(1000) for part in (ours, theirs)
        )
        for found, expected in ((one, other), (labels, others)):
            assert found.keys() == expected.keys()
            for name, column in expected.items():
                np.testing.assert_array_equal(found[name], column, name)
    for name, column in again.dataset.catalogue.columns.items():
        np.testing.assert_array_equal(
            result.dataset.catalogue.columns[name], column, name
        )
    for part in ("ranker", "ranker.optimizer"):
        get = operator.attrgetter(part)
        for one, other in zip(
            get(result).variables, get(again).variables, strict=True
        ):
            np.testing.assert_array_equal(one, other, one.name)
    rates = [run.ranker.optimizer.get_config() for run in (result, again)]
    assert rates[0] == rates[1]


def test_a_folder_is_of_one_day(days, updated):
    run, datasets = days
    _, out = updated
    with pytest.raises(InputError, match="begun with another one"):
        training.update(run, datasets[2], out, progress=False)


@pytest.mark.parametrize("known", [0, 1])
def test_a_day_that_is_learned_is_refused(days, updated, known, tmp_path):
    _, datasets = days
    out = tmp_path / "again"
    with pytest.raises(InputError, match=r"has all\. Name a later day"):
        training.update(updated[1], datasets[known], out, progress=False)
    assert not out.exists() or not list(out.iterdir())


def write_rows(days, out, change):
    """The second day, its rows changed; the run, and the day's dataset."""
    run, datasets = days
    shutil.copytree(datasets[1].parent, out)
    header, *rows = (out / "log.csv").read_text().splitlines()
    (out / "log.csv").write_text(
        "\n".join(
            [header, *map(",".join, change([row.split(",") for row in rows]))]
        )
    )
    prepare_table(out / "shop.yaml", out / "rows")
    return run, out / "rows"


def at_one_time(rows):
    return [[*row[:2], "86400", *row[3:]] for row in rows]


def of_one_class(rows):
    return [[*row[:3], "1", *row[4:]] for row in rows]


@pytest.mark.parametrize(
    ("change", "learned", "valid", "test"),
    [
        # 8 rows were to validate on, and 8 to test on.
        (at_one_time, 8, 8, 80),
        (lambda rows: rows[:1], 8, 8, 1),
        (of_one_class, 16 + 64, 8, 8),
    ],
)
def test_odd_days(days, untraced, tmp_path, change, learned, valid, test):
    run, day = write_rows(days, tmp_path / "day", change)
    before = training.load_run(run)
    result = training.update(run, day, tmp_path / "out", progress=False)
    assert len(result.train) == len(before.train) + learned
    again = training.load_run(tmp_path / "out")
    for run in (result, again):
        assert [len(run.valid), len(run.test)] == [valid, test]
        assert run.calibration.tasks.keys() == {"clicked"}
    # None of them has 20 rows of each class to validate on.
    assert (
        again.calibration.tasks["clicked"].to_dict()
        == before.calibration.tasks["clicked"].to_dict()
    )


def test_a_day_whose_splits_leave_nothing_to_train_on(untraced, tmp_path):
    parts = ["train"] * 60 + ["valid"] * 10 + ["test"] * 10
    folders = []
    for day, splits in enumerate((parts, ["valid"] * 80, parts)):
        folder = tmp_path / f"day{day}"
        write_day(folder, day)
        header, *rows = (folder / "log.csv").read_text().splitlines()
        rows = [f"{r},{s}" for r, s in zip(rows, splits, strict=True)]
        (folder / "log.csv").write_text("\n".join([f"{header},part", *rows]))
        table = YAML.replace(
            "clicked: click\n", "clicked: click\n  split: part\n"
        )
        (folder / "shop.yaml").write_text(table)
        prepare_table(folder / "shop.yaml", folder / "data")
        folders.append(folder / "data")
    run = tmp_path / "run"
    training.train(folders[0], small.config(**CONFIG), run, progress=False)
    out = tmp_path / "out"
    with pytest.raises(InputError, match="needs new rows to train on"):
        training.update(run, folders[1], out, progress=False)
    # Nothing of it is in the way of another day.
    result = training.update(run, folders[2], out, progress=False)
    assert len(result.train) == 120


def test_a_day_that_tells_of_the_calibration(
    days, untraced, tmp_path, monkeypatch
):
    run, datasets = days
    monkeypatch.setattr(training.run, "_LEAST", 1)
    result = training.update(run, datasets[1], tmp_path / "a", progress=False)
    before = training.load_run(run).calibration.tasks["clicked"]
    found = result.calibration.tasks["clicked"]
    assert found.to_dict() != before.to_dict()


def test_factors_are_worked_out_again(days, untraced, tmp_path):
    """Of all rows that are learned; no step would change them."""
    _, datasets = days
    config = small.config(fold_in={"rank": 2}, **CONFIG)
    run = tmp_path / "run"
    training.train(datasets[0], config, run, progress=False)
    result = training.update(run, datasets[1], tmp_path / "b", progress=False)
    before = training.load_run(run)
    grown = training.grow_vocabulary(
        before.ranker, before.dataset, result.dataset
    )
    kept = grown.ad_tower.factors.numpy()
    refit(grown, result.train)
    found = result.ranker.ad_tower.factors.numpy()
    np.testing.assert_array_equal(found, grown.ad_tower.factors)
    assert (found != kept).any()


@pytest.mark.parametrize("more", [{}, {"calibration": {"method": "platt"}}])
def test_the_level_is_that_of_the_newest_rows(days, untraced, tmp_path, more):
    """None of which are to test on; through the calibration that stays."""
    _, datasets = days
    config = small.config(fold_in={"rank": 2}, **more, **CONFIG)
    run = tmp_path / "run"
    training.train(datasets[0], config, run, progress=False)
    result = training.update(run, datasets[1], tmp_path / "b", progress=False)
    # The second day's rows are the 80 newest, and 8 of them are to test on.
    assert result.test.origin.numbers.tolist() == list(range(152, 160))
    rows = result.dataset.select(np.arange(80, 152))
    logits = result.ranker.predict(rows.batches(72))
    if more:  # eight rows to validate on tell of none
        before = training.load_run(run).calibration.tasks["clicked"]
        found = result.calibration.tasks["clicked"]
        assert found.to_dict() == before.to_dict()
        logits = result.calibration.of_rows(logits, rows)
    logits = logits["clicked"]
    predicted = np.sum(1 / (1 + np.exp(-logits)))
    clicked = rows.impressions.labels["clicked"].sum()
    assert predicted == pytest.approx(clicked, 1e-4)


@pytest.mark.slow
def test_a_killed_update_goes_on(days, tmp_path, monkeypatch):
    run, datasets = days
    whole = training.update(
        run, datasets[1], tmp_path / "a", epochs=2, progress=False
    )
    of_the_other = run, datasets[1], tmp_path / "b"
    fit_in = training.update.__globals__["fit_in"]

    def killed(*args, **settings):
        fit_in(*args, until=1, **settings)
        raise KeyboardInterrupt

    monkeypatch.setitem(training.update.__globals__, "fit_in", killed)
    with pytest.raises(KeyboardInterrupt):
        training.update(*of_the_other, epochs=2, progress=False)
    monkeypatch.undo()
    rest = training.update(*of_the_other, epochs=2, progress=False)
    for one, other in zip(
        whole.ranker.variables, rest.ranker.variables, strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("other", [{"rehearse": 0.5}, {"rate": 0.3}])
def test_an_update_goes_on_as_it_was_begun(days, updated, other):
    run, datasets = days
    _, out = updated
    wanted = "begun with another `rehearse` or `rate`"
    with pytest.raises(InputError, match=wanted):
        training.update(run, datasets[1], out, progress=False, **other)


def test_the_command_and_the_day_after(days, updated, untraced, tmp_path):
    _, datasets = days
    result, out = updated
    folders = map(str, (out, datasets[2], tmp_path / "run"))
    call = "update {} --data {} --out {} --json".format(*folders)
    done = CliRunner().invoke(main, call.split())
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout.splitlines()[-1])
    assert set(answer["metrics"]) == {"before", "updated"}
    assert answer["rows"]["rows"] == 8
    line = f"  {datasets[2]}: 80 impressions read = 80 kept + 0 rejected"
    assert line in done.stdout.splitlines()
    counts = {c["unit"]: c["kept"] for c in answer["joined"]["counts"]}
    assert counts["impressions"] == 80
    # Hours of a day are by 3 more than of the day before.
    assert any("'hour'" in note for note in answer["joined"]["notes"])
    (line,) = answer["verdicts"]  # eight rows tell nothing
    assert line.startswith("The updated ranker cannot be")
    assert line in done.output
    again = training.load_run(tmp_path / "run")
    assert sorted(set(again.dataset.impressions.days)) == [0, 1, 2]
    # All of the second day is learned by now, its held-out rows too.
    assert again.ranker.optimizer.iterations.numpy() == (
        result.ranker.optimizer.iterations.numpy() + (16 + 64) // 16
    )


def test_what_is_refused(days, tmp_path):
    run, datasets = days
    out = tmp_path / "out"
    for arguments, message in (
        ({"epochs": 0}, "`fit.epochs` must be an integer >= 1"),
        ({"rehearse": 1.5}, "`rehearse` must be a share in"),
        ({"rate": 0.0}, "`rate` must be a factor > 0"),
    ):
        with pytest.raises(InputError, match=message):
            training.update(run, datasets[1], out, **arguments)
    with pytest.raises(InputError, match="is not there"):
        training.update(tmp_path / "no", datasets[1], out)
    with pytest.raises(InputError, match="`labels` must be as in"):
        training.update(run, small.world(), out)
    with pytest.raises(InputError, match="which holds another run"):
        training.update(run, datasets[1], run)
    assert not out.exists()


def test_a_day_json_that_cannot_be_read(days, updated):
    run, datasets = days
    out = updated[1]
    good = (out / "day.json").read_text()
    for text in ("{", "[" * 99_999, '{"a": 1, "a": 2}'):
        small.rewrite(out, "day.json", text)
        with pytest.raises(InputError, match=r"day\.json must say which day"):
            training.update(run, datasets[1], out, progress=False)
    small.rewrite(out, "day.json", good)
    assert training.update(run, datasets[1], out, progress=False).history
