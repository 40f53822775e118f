"""`tfadrec tune`: options, the answer, and one line where a call is wrong."""

import json

import pytest
from click.testing import CliRunner

from tests.training import small
from tests.tuning.trials import SPACE, Trials
from tfadrec.cli import main
from tfadrec.core.config import RunConfig

pytestmark = pytest.mark.filterwarnings(
    "ignore:(currentThread|getName):DeprecationWarning"
)


@pytest.fixture
def call(tmp_path):
    """Calls the command on a space, `sweep` being its folder."""
    space = tmp_path / "space.yaml"
    space.write_text(SPACE)

    def call(*arguments, space=space):
        return CliRunner().invoke(
            main,
            [
                "tune",
                *("--data", str(small.world()), "--space", str(space)),
                *("--out", str(tmp_path / "sweep")),
                *map(str, arguments),
            ],
        )

    return call


def test_the_answer(call, monkeypatch, tmp_path):
    Trials(monkeypatch)
    result = call("--tuner", "grid", "--max-trials", 9, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout.splitlines()[-1])
    best = RunConfig.from_yaml((tmp_path / "sweep" / "best.yaml").read_bytes())
    assert answer["best"] == str(tmp_path / "sweep" / "best.yaml")
    assert best.ad_tower == {"width": 12}
    assert [t["score"] for t in answer["trials"]] == sorted(
        (t["score"] for t in answer["trials"]), reverse=True
    )
    assert answer["final"]["separated"] is True
    assert "the 95 % intervals over 3 seeds are apart" in result.stdout
    assert "ad_tower.width" in result.stdout


def test_limits_become_a_budget(call, monkeypatch):
    trials = Trials(
        monkeypatch, lambda *_: {"infeasible": "over the budget: x"}
    )
    result = call("--max-parameters", 5, "--max-trials", 2, "--slate", 7)
    assert trials.tasks[0]["budget"] == {
        "latency_ms": None,
        "slate": 7,
        "size_bytes": None,
        "parameters": 5,
    }
    assert result.exit_code == 1
    (line,) = [s for s in result.stderr.splitlines() if "tfadrec:" in s]
    assert "needs a trial within its budget. Received: none in 2" in line


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (["--objective", "auc"], SPACE, "`objective` must be one of val_auc,"),
        ([], "fit: {epochs: 3}", "a space needs something to choose"),
        (
            [],
            SPACE.replace("width", "widht"),
            "Received: widht.",
        ),
        (["--max-trials", 0], SPACE, "`max_trials` must be an integer >= 1"),
    ],
)
def test_a_wrong_call(call, monkeypatch, tmp_path, arguments, text, message):
    trials = Trials(monkeypatch)
    (tmp_path / "space.yaml").write_text(text)
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("tfadrec: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not trials.tasks


def test_a_space_that_is_not_there(call, tmp_path):
    result = call(space=tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "a space is a YAML file. Received: " in result.stderr
