"""Fitting: history, best weights, early stopping, logs, bad arguments."""

import dataclasses
import types

import numpy as np
import pytest

from tests.data import rich_dataset
from tests.training import small
from tfadrec import data, training
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.metrics import ranking
from tfadrec.training import run_epochs
from tfadrec.training.checks import (
    check_compared,
    check_labels,
    check_told,
    check_weighed,
    warn_of_cut_labels,
    warn_of_one_class,
)
from tfadrec.training.saved_state import best_epoch, read_history


@pytest.fixture(scope="module")
def parts():
    return data.split_by_time(
        data.open_dataset(small.world()).with_history_length(6)
    )


@pytest.fixture(scope="module")
def traced(parts):
    """A ranker whose steps are traced once, and all that it began with."""
    ranker = training.build_ranker(small.config(), parts[0])
    ranker.optimizer.build(ranker.trainable_variables)
    variables = [*ranker.variables, *ranker.optimizer.variables]
    return ranker, [(v, v.numpy()) for v in variables]


@pytest.fixture
def ranker(traced):
    """The ranker as `build_ranker` makes it."""
    ranker, begun = traced
    ranker.optimizer.learning_rate = 0.01
    for variable, value in begun:
        variable.assign(value)
    return ranker


def fitted(ranker, parts, out, **arguments):
    arguments = {"batch_size": 32, "progress": False, **arguments}
    return training.fit(ranker, *parts[:2], out, **arguments)


def measured(ranker, valid):
    """The validation metrics of a ranker, worked out apart from `fit`."""
    labels = valid.impressions.labels["clicked"]
    logits = ranker.predict(valid.batches(100))["clicked"]
    return {
        "val_auc": ranking.auc(labels, logits),
        "val_gauc": ranking.group_auc(labels, logits, valid.impressions.users),
        "val_uauc": ranking.uauc(labels, logits, valid.impressions.users),
        "val_log_loss": ranking.log_loss(labels, logits),
    }


def test_best_weights_are_restored(ranker, parts, tmp_path, monkeypatch):
    """The best of three epochs is the second, and it is the model's."""
    seen = []

    def auc(labels, logits, weights=None):
        seen.append(logits)
        return [0.6, 0.8, 0.7][len(seen) - 1]

    monkeypatch.setattr(ranking, "auc", auc)
    history = fitted(ranker, parts, tmp_path, epochs=3, steps_per_epoch=4)
    monkeypatch.undo()
    assert [e["val_auc"] for e in history] == [0.6, 0.8, 0.7]
    assert (seen[1] != seen[2]).any()
    logits = ranker.predict(parts[1].batches(4096))["clicked"]
    np.testing.assert_array_equal(logits, seen[1])
    found = measured(ranker, parts[1])
    for name in ("val_gauc", "val_log_loss"):
        assert history[1][name] == pytest.approx(found[name], abs=1e-6)
    # Only the best and the newest checkpoint are kept.
    kept = {f.name.split(".")[0] for f in (tmp_path / "checkpoints").iterdir()}
    assert kept == {"epoch-0002", "epoch-0003"}


def test_a_few_steps_make_no_graph(parts, tmp_path):
    """They learn what those of a graph do, killed or not."""
    rankers, histories = [], []
    for name, few in (("graph", 0), ("few", 16), ("killed", 16)):
        ranker = training.build_ranker(small.config(), parts[0])
        given = {"epochs": 2, "steps_per_epoch": 4}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run_epochs, "_FEW_STEPS", few)
            if name == "killed":
                fitted(ranker, parts, tmp_path / name, until=1, **given)
                ranker = training.build_ranker(small.config(), parts[0])
            found = fitted(ranker, parts, tmp_path / name, **given)
        assert (ranker.train_function is not None) == (name == "graph")
        assert not ranker.run_eagerly
        rankers.append(ranker)
        histories.append([epoch["loss"] for epoch in found])
    assert histories[0] == pytest.approx(histories[1], rel=1e-4)
    assert histories[1] == histories[2]
    for one, other in zip(*(r.variables for r in rankers[1:]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_history_and_tensorboard_tell_the_same():
    """One entry per epoch, and the last one is what can be measured again."""
    history = small.trained().history
    assert len(history) == 4
    keys = ["loss", "val_auc", "val_gauc", "val_uauc", "val_log_loss"]
    assert all(list(epoch) == keys for epoch in history)
    logs = {}
    for file in (small.run_folder() / "tensorboard").rglob("*tfevents*"):
        part = {"train": "", "validation": "val_"}[file.parent.name]
        for event in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(event.numpy())
            for value in event.summary.value:
                if value.tag.startswith("epoch_"):
                    name = part + value.tag.removeprefix("epoch_")
                    number = float(tf.make_ndarray(value.tensor))
                    logs.setdefault(name, {})[event.step] = number
    for name in keys:
        told = [logs[name][step] for step in range(4)]
        assert told == pytest.approx([e[name] for e in history], rel=1e-6)


def test_a_pass_is_the_default_and_the_loss_falls(ranker, parts, tmp_path):
    """The loss of an epoch is the mean over its steps, near the label's."""
    history = fitted(ranker, parts, tmp_path, epochs=2)
    # 30 users x 12 requests x 3 ads x 80 % = 864 rows, 27 steps of 32; the
    # optimiser goes back to the best epoch with the weights.
    assert len(parts[0]) // 32 == 27
    assert int(ranker.optimizer.iterations) == 27 * best_epoch(history)
    assert history[1]["loss"] < history[0]["loss"]
    best = history[best_epoch(history) - 1]
    for name, value in measured(ranker, parts[1]).items():
        assert best[name] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("monitor", "values", "epochs_run", "best"),
    [
        # Two epochs without improvement after the best end the training.
        ("val_auc", [0.5, 0.7, 0.6, 0.7, 0.9], 4, 2),
        ("val_gauc", [0.9, 0.8, 0.7, 0.6, 0.5], 3, 1),
        ("val_uauc", [0.6, 0.7, 0.8, 0.7, 0.6], 5, 3),
        # Lower is better; the others go the other way.
        ("val_log_loss", [0.9, 0.8, 0.7, 0.75, 0.71], 5, 3),
        ("val_auc", [float("nan"), 0.5, float("nan"), 0.6, 0.5], 5, 4),
    ],
)
def test_early_stopping(
    ranker, parts, tmp_path, monkeypatch, monitor, values, epochs_run, best
):
    functions = {
        "val_auc": "auc",
        "val_gauc": "group_auc",
        "val_uauc": "uauc",
        "val_log_loss": "log_loss",
    }
    for name, function in functions.items():
        told = iter(values if name == monitor else range(5))
        monkeypatch.setattr(ranking, function, lambda *_, told=told: next(told))
    history = fitted(
        ranker, parts, tmp_path, epochs=5, steps_per_epoch=1, monitor=monitor
    )
    assert len(history) == epochs_run
    assert best_epoch(history, monitor) == best


def test_every_task_is_measured(untraced, parts, tmp_path):
    """The first under plain names, the others under their own."""
    settings = small.config(ranker={"tasks": ["clicked", "converted"]})
    ranker = training.build_ranker(settings, parts[0])
    history = training.fit(
        ranker,
        *parts[:2],
        tmp_path,
        batch_size=32,
        epochs=1,
        steps_per_epoch=3,
        progress=False,
    )
    names = [
        f"val_{prefix}{metric}"
        for prefix in ("", "converted_")
        for metric in ("auc", "gauc", "uauc", "log_loss")
    ]
    assert list(history[0]) == ["loss", *names]
    assert read_history(tmp_path) == history
    labels = parts[1].impressions.labels["converted"]
    logits = ranker.predict(parts[1].batches(100))["converted"]
    assert history[0]["val_converted_log_loss"] == pytest.approx(
        ranking.log_loss(labels, logits), abs=1e-6
    )


def test_the_best_of_nothing_known_is_the_newest():
    nothing = [{"val_auc": float("nan")}] * 3
    assert best_epoch(nothing) == 3


def test_progress_goes_to_standard_error(
    ranker, parts, tmp_path, capsys, monkeypatch
):
    """And the batches of both parts are made once, not at each epoch's end."""
    made, batches = [], data.Dataset.batches
    monkeypatch.setattr(
        data.Dataset,
        "batches",
        lambda rows, *given, **more: (
            made.append(len(rows)) or batches(rows, *given, **more)
        ),
    )
    fitted(ranker, parts, tmp_path, epochs=2, steps_per_epoch=1, progress=True)
    assert made.count(len(parts[1])) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "epoch 2/2  loss 0." in printed.err
    assert "val_log_loss" in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`fit.batch_size` must be an integer >= 1.*=0"),
        ({"batch_size": 32.0}, "`fit.batch_size` must be an integer"),
        (
            {"epochs": 0},
            "`fit.epochs` must be an integer >= 1.*Received: epochs=0",
        ),
        ({"epochs": "3"}, "epochs='3'"),
        ({"epochs": True}, "epochs=True"),
        ({"patience": 0}, "`fit.patience` must be an integer >= 1"),
        ({"patience": None}, "patience=None"),
        (
            {"steps_per_epoch": 0},
            "`fit.steps_per_epoch` must be an integer >= 1",
        ),
        ({"steps_per_epoch": -3}, "steps_per_epoch=-3"),
        ({"seed": -1}, "`fit.seed` must be an integer >= 0. Received: seed=-1"),
        ({"seed": None}, "seed=None"),
        ({"monitor": "val_loss"}, "one of val_auc, val_gauc, val_uauc"),
        (
            {"monitor": None},
            "`fit.monitor` must be one of .* Received: monitor=None",
        ),
    ],
)
def test_bad_arguments(parts, tmp_path, arguments, message):
    model = types.SimpleNamespace(
        task_losses={},
        row_weights={},
        distribute_strategy=tf.distribute.get_strategy(),
    )
    with pytest.raises(InputError, match=message):
        training.fit(model, *parts[:2], tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_the_learning_rate_falls_to_zero(untraced, parts, tmp_path):
    """Plain descent from one gradient tells the rate of its step."""
    ranker = training.build_ranker(small.config(), parts[0])
    rates = []

    class Watched(keras.optimizers.SGD):
        def apply_gradients(self, grads_and_vars, *args, **kwargs):
            tf.py_function(
                lambda rate: rates.append(float(rate)), [self.learning_rate], []
            )
            return super().apply_gradients(grads_and_vars, *args, **kwargs)

    ranker.compile(Watched(0.6))
    falling = [0.6, 0.45, 0.3, 0.15]
    for decay, expected in ((True, falling), (False, [0.6] * 4)):
        rates.clear()
        out = tmp_path / str(decay)
        fitted(ranker, parts, out, epochs=2, steps_per_epoch=2, decay=decay)
        assert rates == pytest.approx(expected)
        # The model is left with the rate that it was given.
        assert float(ranker.optimizer.learning_rate) == pytest.approx(0.6)


def test_a_schedule_is_left_alone(untraced, parts, tmp_path):
    ranker = training.build_ranker(small.config(), parts[0])
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 4, 0.05)
    ranker.compile(keras.optimizers.SGD(schedule))
    training.fit(
        ranker,
        *parts[:2],
        tmp_path,
        batch_size=32,
        epochs=1,
        steps_per_epoch=2,
        progress=False,
    )
    # The second step was made after one of the schedule's four.
    assert float(ranker.optimizer.learning_rate) == pytest.approx(0.0875)


@pytest.mark.parametrize("weighted", [False, True])
def test_by_request_orders_are_measured(untraced, parts, tmp_path, weighted):
    """Rows that stand for many have no order; by row nothing is added."""
    if weighted:
        parts = [
            dataclasses.replace(
                part,
                impressions=dataclasses.replace(
                    part.impressions, weights=np.ones(len(part))
                ),
            )
            for part in parts
        ]
    found = {}
    for by in ("row", "request"):
        ranker = training.build_ranker(small.config(), parts[0])
        steps = {"epochs": 1, "steps_per_epoch": 1, "by": by}
        (found[by],) = fitted(ranker, parts, tmp_path / by, **steps)
    added = {} if weighted else {"val_ndcg@10"}
    assert set(found["request"]) - set(found["row"]) == set(added)
    if added:
        rows = parts[1].impressions
        logits = ranker.predict(parts[1].batches(100))["clicked"]
        expected = ranking.ndcg(
            rows.labels["clicked"], logits, rows.requests, 10
        )
        assert found["request"]["val_ndcg@10"] == pytest.approx(expected)
        assert 0 < expected < 1


def with_losses(parts, losses, tasks=("clicked", "revenue")):
    config = small.config(ranker={"tasks": list(tasks), "losses": losses})
    return training.build_ranker(config, parts[0])


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    dataset = rich_dataset.make(tmp_path_factory.mktemp("rich"), requests=90)
    return data.split_by_time(dataset, valid=0.2, test=0.1)


@pytest.mark.slow
def test_by_request_with_losses_that_compare(rich, tmp_path):
    """Taken up after an epoch it ends as it would have ended."""
    losses = {"clicked": {"binary": 1.0, "softmax": 0.3}, "revenue": "ziln"}
    found = []
    for out, until in ((tmp_path / "a", (2,)), (tmp_path / "b", (1, 2))):
        ranker = with_losses(rich, losses)
        for last in until:
            history = training.fit(
                ranker,
                *rich[:2],
                out,
                by="request",
                batch_size=8,
                epochs=2,
                until=last,
                progress=False,
            )
        found.append((history, ranker.predict(rich[1].batches(64))))
    (history, one), (again, other) = found
    assert history == again
    assert set(history[0]) == {
        *("loss", "val_auc", "val_gauc", "val_uauc", "val_log_loss"),
        "val_revenue_rmse",
    }
    for task in one:
        np.testing.assert_array_equal(one[task], other[task])
    rows = rich[1].impressions
    best = history[best_epoch(history, "val_auc") - 1]
    assert best["val_auc"] == pytest.approx(
        ranking.auc(rows.labels["clicked"], one["clicked"], rows.weights)
    )
    assert best["val_revenue_rmse"] == pytest.approx(
        ranking.rmse(rows.labels["revenue"], one["revenue"], rows.weights)
    )


@pytest.mark.parametrize(
    ("losses", "tasks", "arguments", "message"),
    [
        (
            {},
            ["clicked"],
            {"by": "slate"},
            r"one of row, request\. Received: by='s",
        ),
        (
            {"clicked": "softmax"},
            ["clicked"],
            {},
            r"needs `by: request`\. Received: by='row' with \w+ for clicked",
        ),
        (
            {"revenue": "squared"},
            ["revenue"],
            {},
            r"val_rmse for real labels, .*Received: 'val_auc' for 'revenue'",
        ),
        (
            {},
            ["clicked", "revenue"],
            {},
            r"is for labels of 0 and 1\. Received: revenue with .*squared",
        ),
        ({}, ["clicked"], {"monitor": "val_rmse"}, "Received: 'val_rmse' for"),
        (
            {"clicked": "ziln"},
            ["clicked"],
            {},
            r"ziln is for amounts\. Received: clicked, whose .*name binary",
        ),
    ],
)
def test_ways_to_fit_that_do_not_go_together(
    rich, losses, tasks, arguments, message, tmp_path
):
    ranker = with_losses(rich, losses, tasks)
    with pytest.raises(InputError, match=message):
        training.fit(ranker, *rich[:2], tmp_path, progress=False, **arguments)


def test_requests_whose_ads_do_not_differ(parts, tmp_path, caplog):
    """Alone, a loss that compares them would fall to 0 at once."""
    train, valid = parts[:2]
    rows = dataclasses.replace(
        train.impressions, requests=np.arange(len(train), dtype=np.int64)
    )
    single = dataclasses.replace(train, impressions=rows)
    alone = with_losses(parts, {"clicked": "softmax"}, ["clicked"])
    check_compared(alone, train)
    check_compared(alone, train.select(np.arange(0)))
    said = rf"{len(train):,} rows of {len(train):,} requests, of which none"
    with pytest.raises(InputError, match=said):
        training.fit(alone, single, valid, tmp_path / "out", by="request")
    assert not (tmp_path / "out" / "state.json").exists()
    assert not caplog.records
    losses = {"clicked": {"binary": 1.0, "softmax": 0.3}}
    check_compared(with_losses(parts, losses, ["clicked"]), single)
    (line,) = (r.getMessage() for r in caplog.records)
    assert "binary_and_softmax with" in line
    assert "that part learns nothing" in line


@pytest.mark.parametrize("name", ["lambda", "ranknet"])
def test_a_loss_that_counts_no_weights_says_so(parts, caplog, name):
    train = parts[0]
    told = dataclasses.replace(
        train.impressions,
        weights=np.arange(1, len(train) + 1, dtype=np.float32),
    )
    counted = dataclasses.replace(train, impressions=told)
    model = with_losses(parts, {"clicked": name}, ["clicked"])
    check_compared(model, train)
    assert not caplog.records
    check_compared(model, counted)
    lines = [record.getMessage() for record in caplog.records]
    assert [line[:6] for line in lines] == ["lambda"] * (name == "lambda")
    assert all("take softmax, ranknet or jrc" in line for line in lines)


def test_amounts_below_what_a_loss_is_for_are_told(parts, caplog):
    """Refunds, that is."""
    train = parts[0]
    task, amounts = "converted", np.arange(len(train), dtype=np.float32) - 3
    rows = dataclasses.replace(
        train.impressions, labels={**train.impressions.labels, task: amounts}
    )
    learn = dataclasses.replace(train, impressions=rows)
    for loss in ("squared", "ziln"):
        warn_of_cut_labels(with_losses(parts, {task: loss}, [task]), learn)
    (line,) = (r.getMessage() for r in caplog.records)
    told = f"Received: converted with 3 of {len(train):,} training rows below"
    assert line.startswith("ziln is for labels from 0 on")
    assert told in line
    assert "the least -3." in line


def test_a_metric_that_validation_rows_do_not_tell_is_refused(
    ranker, parts, tmp_path
):
    """With a row a user no user has both; with one value there is a warning."""
    train, valid = parts[:2]
    rows = dataclasses.replace(
        valid.impressions,
        users=np.arange(1, len(valid) + 1, dtype=np.int32),
        labels=dict(valid.impressions.labels),
    )
    alone = dataclasses.replace(valid, impressions=rows)
    with pytest.raises(InputError, match="no user has both values of clicked"):
        fitted(ranker, (train, alone), tmp_path, monitor="val_gauc")
    assert not (tmp_path / "state.json").exists()
    check_told(ranker, alone, "val_auc")
    check_told(ranker, valid, "val_gauc")
    rows.labels["clicked"] = np.ones(len(valid), np.float32)
    check_told(ranker, alone, "val_gauc")


def test_what_comes_before_the_first_step_of_a_mirrored_ranker(
    parts, tmp_path, monkeypatch
):
    """A replica's variables are no plain ones; `slow` tests train with them."""
    begun = []

    def begin(model, batches, **settings):
        begun.append(settings["steps_per_epoch"])
        raise KeyboardInterrupt

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        ranker = training.build_ranker(small.config(), parts[0])
    monkeypatch.setattr(type(ranker), "fit", begin)
    with pytest.raises(KeyboardInterrupt):
        training.fit(ranker, *parts[:2], tmp_path, steps_per_epoch=3)
    assert begun == [3]


def test_what_is_no_model_and_no_dataset(ranker, parts, tmp_path):
    for given, message in (
        ((parts[0], ranker, parts[1]), "`model` must be .*Received: Dataset"),
        ((ranker, parts[0], None), "`valid` must be a .*Received: NoneType"),
        ((ranker, None, parts[1]), "`train` must be a .*Received: NoneType"),
        (
            (type(ranker).from_config(ranker.get_config()), *parts[:2]),
            "a model must be compiled .*Call `model.compile",
        ),
    ):
        with pytest.raises(InputError, match=message):
            training.fit(*given, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", [0, 1])
def test_rows_that_do_not_count(ranker, parts, tmp_path, part):
    given = list(parts[:2])
    rows = given[part].impressions
    given[part] = dataclasses.replace(
        given[part],
        impressions=dataclasses.replace(rows, weights=np.zeros(len(rows.ads))),
    )
    with pytest.raises(InputError, match="must not all have the weight 0"):
        training.fit(ranker, *given, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "low", "message"),
    [
        ("margin", None, "labels of the dataset, .*Received: 'margin' for"),
        ("margin", -1.0, r"must be >= 0\. Received: 'margin' .* from -1 to 2"),
        ("margin", 0.0, None),
    ],
)
def test_labels_that_weigh_a_task(ranker, parts, name, low, message):
    rows = parts[0].impressions
    if low is not None:
        margin = np.linspace(low, 2, len(rows.ads), dtype=np.float32)
        rows = dataclasses.replace(rows, labels={**rows.labels, name: margin})
    config = {**ranker.get_config(), "row_weights": {"clicked": name}}
    weighted = type(ranker).from_config(config)
    dataset = dataclasses.replace(parts[0], impressions=rows)
    if message is None:
        check_labels(weighted, dataset)
    else:
        with pytest.raises(InputError, match=message):
            check_labels(weighted, dataset)


def test_a_label_that_weighs_no_row(ranker, parts, tmp_path):
    """Of rows to learn from: others, and those of a day, may have none."""

    def weighed(part, margin):
        rows = part.impressions
        labels = {**rows.labels, "margin": margin(len(rows.ads), np.float32)}
        rows = dataclasses.replace(rows, labels=labels)
        return dataclasses.replace(part, impressions=rows)

    config = {**ranker.get_config(), "row_weights": {"clicked": "margin"}}
    weighted = type(ranker).from_config(config)
    nothing = weighed(parts[1], np.zeros)
    check_labels(weighted, nothing)
    check_weighed(weighted, weighed(parts[0], np.ones))
    message = f"which is 0 in all {len(nothing):,}. Name another label"
    with pytest.raises(InputError, match=message):
        training.fit(weighted, nothing, nothing, tmp_path / "out")


def test_rows_of_one_class_are_told(ranker, parts, caplog):
    """Before the first step; the other rows have both."""
    labels = parts[1].impressions.labels
    rows = dataclasses.replace(
        parts[1].impressions,
        labels={**labels, "clicked": 0 * labels["clicked"]},
    )
    valid = dataclasses.replace(parts[1], impressions=rows)
    warn_of_one_class(ranker, parts[0], "training rows")
    warn_of_one_class(ranker, valid, "validation rows")
    (line,) = (r.getMessage() for r in caplog.records)
    said = f"clicked is 0 in all {len(valid):,} validation rows: nothing can"
    assert line.startswith(said)
    assert "\n" not in line


def test_a_task_that_is_no_label(ranker, tmp_path):
    other = data.open_dataset(small.world())
    rows = dataclasses.replace(other.impressions, labels={"liked": None})
    other = dataclasses.replace(other, impressions=rows)
    with pytest.raises(InputError, match=r"has liked\. Received: 'clicked'"):
        training.fit(ranker, other, other, tmp_path / "out")


def test_logits_that_run_off_are_told_once(ranker, parts, tmp_path, caplog):
    near = [(v, v.numpy()) for v in ranker.variables]
    for variable in ranker.trainable_variables:
        if "_head" in variable.name:
            variable.assign(100 * variable)
    ranker.optimizer.learning_rate = 1e-6
    arguments = {"batch_size": 32, "steps_per_epoch": 1, "progress": False}
    training.fit(ranker, *parts[:2], tmp_path / "far", epochs=2, **arguments)
    (line,) = (r.getMessage() for r in caplog.records if "run off" in r.msg)
    logits = ranker.predict(parts[1].batches(4096))["clicked"]
    assert np.abs(logits).max() > 40
    share = 100 * (np.abs(logits) >= 40).mean()
    assert line.startswith(f"logits of clicked run off: {share:.0f} % of the")
    assert "Lower the learning rate" in line
    assert "\n" not in line
    caplog.clear()
    for variable, value in near:
        variable.assign(value)
    fitted(ranker, parts, tmp_path / "near", epochs=1, steps_per_epoch=1)
    assert not caplog.records
