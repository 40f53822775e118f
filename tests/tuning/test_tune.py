"""A search over trials: order, resume, failures, the last choice."""

import json
import types

import pytest
import yaml

from tests.training import small
from tests.tuning.trials import SPACE, Trials, score
from tfadrec import tuning
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.runs.folder import clear_run, run_folder
from tfadrec.tuning.files import search_folder
from tfadrec.tuning.progress import Progress

# keras-tuner asks for the thread's name by a name that Python gave up, and its
# model of a few trials is a poor one, and says so.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:(currentThread|getName):DeprecationWarning"
    ),
    pytest.mark.filterwarnings("ignore:The optimal value found for dimension"),
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),
]


def search(out, **arguments):
    arguments = {"max_trials": 6, "finalists": 0, "progress": False} | arguments
    space = arguments.pop("space", tuning.SearchSpace.from_yaml(SPACE))
    return tuning.tune(small.world(), out, space, **arguments)


@pytest.mark.parametrize(
    "tuner",
    [
        "hyperband",
        *(
            pytest.param(tuner, marks=pytest.mark.slow)
            for tuner in ("random", "bayesian", "grid")
        ),
    ],
)
def test_killed_at_any_trial_it_ends_as_if_it_had_not_been(
    tmp_path, monkeypatch, tuner
):
    """Trials that ended are not run again; all values are those of one go."""
    whole = Trials(monkeypatch)
    found = search(tmp_path / "whole", tuner=tuner)
    kept = [(t["config"], t["until"]) for t in whole.tasks]
    for killed in (1, 3, 6):
        trials = Trials(
            monkeypatch,
            lambda number, _, k=killed: (
                KeyboardInterrupt() if number == k else None
            ),
        )
        out = tmp_path / f"killed-{killed}"
        with pytest.raises(KeyboardInterrupt):
            search(out, tuner=tuner)
        again = Trials(monkeypatch)
        resumed = search(out, tuner=tuner)
        assert [f.name for f in trials.folders[:-1] + again.folders] == [
            f"trial_{n}" for n in range(6)
        ]
        asked = trials.tasks[:-1] + again.tasks
        assert [(t["config"], t["until"]) for t in asked] == kept
        assert len(resumed.leaderboard.completed) == 6
    last = Trials(monkeypatch)
    same = search(tmp_path / "whole", tuner=tuner)
    assert not last.tasks
    assert same.leaderboard == found.leaderboard
    more = search(tmp_path / "whole", tuner=tuner, max_trials=8)
    assert len(last.tasks) == 2
    assert len(more.leaderboard.trials) == 8


def test_the_first_trial_is_at_the_defaults(tmp_path, monkeypatch):
    for tuner in ("random", "bayesian", "hyperband", "grid"):
        trials = Trials(monkeypatch)
        search(tmp_path / tuner, tuner=tuner, max_trials=2)
        config = yaml.safe_load(trials.tasks[0]["config"])
        assert config["ad_tower"] == {"width": 4}
        assert config["optimizer"]["learning_rate"] == 0.001


@pytest.mark.slow
def test_the_gaussian_process_tries_nothing_twice(tmp_path, monkeypatch):
    """Nine combinations in nine trials; keras-tuner would repeat some."""
    trials = Trials(monkeypatch)
    search(tmp_path / "s", tuner="bayesian", max_trials=9)
    assert len({t["config"] for t in trials.tasks}) == len(trials.tasks)


def test_a_grid_has_every_combination_once(tmp_path, monkeypatch):
    trials = Trials(monkeypatch)
    found = search(tmp_path / "s", tuner="grid", max_trials=50)
    assert len({t["config"] for t in trials.tasks}) == len(trials.tasks) == 9
    best = found.best
    assert (best.ad_tower, best.optimizer["learning_rate"]) == (
        {"width": 12},
        0.01,
    )
    assert type(found.leaderboard.trials[0]["score"]) is float  # to be plotted
    assert found.leaderboard.trials[0]["score"] == pytest.approx(
        score({"ad_tower": {"width": 12}, "optimizer": best.optimizer})
    )


def test_hyperband_goes_on_with_the_best_of_a_round(tmp_path, monkeypatch):
    """3 epochs and a factor of 3: rounds of 1 and 3 epochs."""
    trials = Trials(monkeypatch)
    search(tmp_path / "s", tuner="hyperband", max_trials=5)
    # keras-tuner's sizes: ceil(1 + log_3 3) = 2, so ceil(2 / 2 * 3) = 3 first.
    assert [t["until"] for t in trials.tasks] == [1, 1, 1, 3, 3]
    first = [yaml.safe_load(t["config"]) for t in trials.tasks[:3]]
    best = max(range(3), key=lambda n: score(first[n]))
    assert trials.promoted == [None] * 3 + [
        tmp_path / "s" / "trials" / f"trial_{best}",
        None,
    ]
    assert trials.tasks[3]["config"] == trials.tasks[best]["config"]
    assert all(
        yaml.safe_load(t["config"])["fit"]["epochs"] == 3 for t in trials.tasks
    )


def test_failures_are_recorded_and_counted(tmp_path, monkeypatch):
    def fail(number, config):
        return {"error": "it broke"} if number in (2, 4) else None

    Trials(monkeypatch, fail)
    found = search(tmp_path / "a", tuner="random", max_failed=2)
    statuses = {t["trial"]: t["status"] for t in found.leaderboard.trials}
    assert statuses == {
        "0": "completed",
        "1": "failed",
        "2": "completed",
        "3": "failed",
        "4": "completed",
        "5": "completed",
    }
    text = (tmp_path / "a" / "leaderboard.txt").read_text()
    assert "1: it broke" in text
    trials = Trials(monkeypatch, fail)
    with pytest.raises(
        TfadrecError,
        match=r"at most 1 trials may fail\. Rec.*"
        r"2, the last with: it broke",
    ):
        search(tmp_path / "b", tuner="random", max_failed=1)
    assert len(trials.tasks) == 4


def test_a_score_that_is_no_number_is_a_failure(tmp_path, monkeypatch):
    nan = {"metrics": {"val_auc": float("nan")}, "best_epoch": 1}
    Trials(monkeypatch, lambda number, _: nan if number == 1 else None)
    found = search(tmp_path / "s", tuner="random", max_trials=2)
    assert found.leaderboard.trials[-1]["message"] == "val_auc is not a number"


def test_hyperband_fills_the_place_of_a_failed_trial(tmp_path, monkeypatch):
    """keras-tuner would never promote from a round with a failure."""
    trials = Trials(
        monkeypatch, lambda number, _: {"error": "no"} if number == 2 else None
    )
    search(tmp_path / "s", tuner="hyperband", max_trials=5)
    assert [t["until"] for t in trials.tasks] == [1, 1, 1, 1, 3]


def test_over_the_budget(tmp_path, monkeypatch):
    def fail(number, config):
        if config["ad_tower"]["width"] > 4:
            return {"infeasible": "over the budget: parameters 9 > 5"}
        return None

    Trials(monkeypatch, fail)
    budget = tuning.Budget(parameters=5)
    found = search(tmp_path / "a", tuner="grid", max_trials=9, budget=budget)
    widths = {
        t["values"]["ad_tower.width"]: t["status"]
        for t in found.leaderboard.trials
    }
    assert widths == {4: "completed", 8: "infeasible", 12: "infeasible"}
    assert found.best.ad_tower == {"width": 4}
    Trials(monkeypatch, lambda *_: {"infeasible": "over the budget: x"})
    with pytest.raises(
        TfadrecError,
        match=r"a search needs a trial within its budget. Received: none in 6 ",
    ):
        search(tmp_path / "b", tuner="random", budget=budget)


def test_all_failed(tmp_path, monkeypatch):
    Trials(monkeypatch, lambda *_: {"error": "no luck"})
    with pytest.raises(TfadrecError, match=r"a search needs a trial that ends"):
        search(tmp_path / "b", tuner="random")


def test_the_last_choice(tmp_path, monkeypatch):
    """Three seeds each; scores of n/1000 apart have a spread that is known."""
    trials = Trials(monkeypatch)
    found = search(tmp_path / "s", tuner="grid", max_trials=9, finalists=2)
    assert [f.name for f in trials.folders[9:]] == [
        f"trial_{t['trial']}-seed_{seed}"
        for t in found.leaderboard.trials[:2]
        for seed in range(3)
    ]
    first, second = found.final["finalists"]
    top = found.leaderboard.trials[0]["score"]
    assert first["mean"] == pytest.approx(top + 0.001)
    # s = 0.001, and Student's t of two degrees of freedom at 0.975 is 4.3027.
    half = 4.302653 * 0.001 / 3**0.5
    assert first["low"] == pytest.approx(first["mean"] - half)
    assert first["high"] == pytest.approx(first["mean"] + half)
    assert found.final["separated"] is (first["low"] > second["high"])
    assert found.final["separated"] is True  # 0.01 - 0.009 + 0.04 apart
    assert "are apart" in found.final["verdict"]
    assert found.run == trials.folders[9] / "run"
    best = RunConfig.from_yaml((tmp_path / "s" / "best.yaml").read_bytes())
    assert best == found.best
    assert best.fit == {"epochs": 3, "monitor": "val_auc"}


def test_the_last_choice_may_be_another(tmp_path, monkeypatch):
    """The best trial falls behind with other seeds, or fails."""

    def fail(number, config):
        width, seed = config["ad_tower"]["width"], config["fit"].get("seed")
        return {"error": "seed"} if width == 12 and seed == 1 else None

    Trials(monkeypatch, fail)
    found = search(tmp_path / "s", tuner="grid", max_trials=9, finalists=4)
    assert found.leaderboard.trials[0]["values"]["ad_tower.width"] == 12
    assert found.best.ad_tower == {"width": 8}


def test_a_function_is_a_space(tmp_path, monkeypatch):
    trials = Trials(monkeypatch)

    def settings(hp):
        return RunConfig(
            ad_tower={"width": hp.Choice("width", [4, 8])},
            optimizer={"class": "Adam", "learning_rate": 0.01},
        )

    found = search(
        tmp_path / "s", space=settings, tuner="random", objective="val_log_loss"
    )
    assert len(trials.tasks) == 2
    assert found.best.ad_tower == {"width": 8}
    assert found.leaderboard.direction == "min"
    assert found.best.fit == {"monitor": "val_log_loss"}
    with pytest.raises(InputError, match="must give a RunConfig"):
        search(tmp_path / "t", space=lambda hp: hp.Choice("a", [1, 2]))
    with pytest.raises(InputError, match="needs something to choose"):
        search(tmp_path / "t", space=lambda hp: RunConfig())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"objective": "val_acu"},
            "`objective` must be one of val_auc, val_gauc, val_uauc, "
            "val_log_loss, val_rmse. "
            "Received: 'val_acu'.",
        ),
        (
            {"objective": tuning.Objective("val_auc", "min")},
            "the direction of `val_auc` is 'max'. Received: 'min'.",
        ),
        ({"tuner": "best"}, "`tuner` must be one of random, .*'best'"),
        ({"max_trials": 0}, "`max_trials` must be an integer >= 1"),
        ({"max_failed": -1}, "`max_failed` must be an integer >= 0"),
        ({"chief": "here", "worker": "there"}, "the chief or a worker"),
        ({"chief": "nine"}, "a chief's address is HOST:PORT"),
        (
            {
                "space": tuning.SearchSpace.from_yaml(
                    SPACE.replace("epochs: 3", "monitor: val_gauc")
                )
            },
            "a trial's best epoch is chosen by the objective. Received: "
            "fit.monitor='val_gauc'",
        ),
    ],
)
def test_wrong_calls_are_refused_before_the_first_trial(
    tmp_path, monkeypatch, arguments, message
):
    trials = Trials(monkeypatch)
    with pytest.raises(InputError, match=message) as caught:
        search(tmp_path / "s", **arguments)
    assert "\n" not in str(caught.value)
    assert not trials.tasks


def test_a_folder_belongs_to_one_search(tmp_path, monkeypatch):
    Trials(monkeypatch)
    search(tmp_path / "s", max_trials=1)
    with pytest.raises(InputError, match="begun with another tuner, seed"):
        search(tmp_path / "s", max_trials=1, tuner="grid", seed=3)
    with pytest.raises(InputError, match="begun with another space"):
        search(tmp_path / "s", space=tuning.SearchSpace.default())
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "letter").write_text("Dear Sir")
    with pytest.raises(InputError, match="a folder of its own"):
        search(tmp_path / "t")


def test_a_search_owns_what_it_wrote(tmp_path, monkeypatch):
    Trials(monkeypatch)
    out = tmp_path / "s"
    search(out, max_trials=1)
    assert not [p for p in out.rglob("*") if p.name.startswith(".")]
    for name in ("letter.txt", "trials/letter.txt"):
        (out / name).write_text("Dear Sir")
        with pytest.raises(InputError, match=f"also holds {name}"):
            search(out, max_trials=1)
        (out / name).unlink()
    with (
        search_folder(out).held(),
        pytest.raises(InputError, match="one process at a time"),
    ):
        search(out, max_trials=1)
    (out / "best.yaml").write_text("mine: 1")
    with pytest.raises(InputError, match=r"where best\.yaml is not"):
        search(out, max_trials=1)
    assert (out / "best.yaml").read_text() == "mine: 1"


def test_a_trial_of_other_settings_removes_a_run_alone(tmp_path):
    """What somebody has put beside the run's files is not removed with it."""
    folder = run_folder(tmp_path / "run")
    with folder.held():
        folder.write_text("run.json", "{}")
    logs = tmp_path / "run" / "tensorboard"
    logs.mkdir()
    (logs / "events.out.tfevents.1.vm").touch()
    (logs / "notes.txt").write_text("mine")
    clear_run(tmp_path / "run")
    assert [p.name for p in (tmp_path / "run").rglob("*")] == [
        "tensorboard",
        "notes.txt",
    ]
    (tmp_path / "run" / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"also holds thesis\.tex"):
        clear_run(tmp_path / "run")


def test_a_line_of_the_running_trial_now_and_then(monkeypatch, capsys):
    """Nobody watches a terminal: half a minute after the last line."""
    clock = [0.0]
    monkeypatch.setattr(
        "tfadrec.tuning.progress.time.monotonic", lambda: clock[0]
    )
    objective = types.SimpleNamespace(name="val_auc")
    oracle = types.SimpleNamespace(trials={"4": 1}, objective=objective)
    shown = Progress(oracle, True)
    shown.begun(types.SimpleNamespace(trial_id="4"))
    for second in range(0, 70, 5):
        clock[0] = second
        shown.trained([{"val_auc": 0.61}] if second > 40 else [])
    assert capsys.readouterr().err.splitlines() == [
        "trial 4  epoch 1",
        "trial 4  epoch 2  val_auc 0.6100",
    ]


def test_the_table_of_trials(tmp_path, monkeypatch, capsys):
    Trials(monkeypatch, lambda n, _: {"error": "no"} if n == 2 else None)
    search(tmp_path / "s", tuner="random", max_trials=3, progress=True)
    head, *lines = capsys.readouterr().err.splitlines()
    assert head.split()[:3] == ["trial", "status", "score"]
    assert "[val_auc, max]" in head
    assert [line.split()[:2] for line in lines] == [
        ["0", "completed"],
        ["1", "failed"],
        ["2", "completed"],
    ]
    assert lines[1].endswith("  no")
    assert "ad_tower.width=4" in lines[0]
    record = json.loads((tmp_path / "s" / "leaderboard.json").read_text())
    assert record["objective"] == "val_auc"
    assert [t["score"] for t in record["trials"]][2] is None
