"""What the size of the data tells, and where it is written."""

import json

import pytest

from tests.training import small
from tfadrec import training
from tfadrec.core.config import RunConfig
from tfadrec.training.by_size import batch_size_for, chosen_by_size


@pytest.mark.parametrize(
    ("examples", "expected"),
    [
        (1, 64),
        (70 * 90, 64),  # 90 is nearer to 64 than to 128, in octaves
        (70 * 91, 128),
        (70 * 256, 256),
        (70 * 512, 512),
        (10**9, 512),
    ],
)
def test_the_batch_is_a_power_of_two_within_bounds(examples, expected):
    assert batch_size_for(examples) == expected


def test_what_is_given_stays():
    rows = small.trained().train
    given = {"batch_size": 7, "epochs": 3}
    assert chosen_by_size(given, rows) == given
    assert chosen_by_size({"epochs": 3}, rows)["batch_size"] == 64


def test_the_choice_is_written_into_the_run(tmp_path):
    """And the same settings, with nothing chosen, go on with it."""
    asked = small.config(fit={"epochs": 1, "steps_per_epoch": 1})
    del asked.fit["batch_size"]

    def train():
        return training.train(small.world(), asked, tmp_path, progress=False)

    run = train()
    record = json.loads((tmp_path / "run.json").read_text())
    assert RunConfig.from_yaml(record["config"]).fit == asked.fit
    assert RunConfig.from_yaml(record["settings"]).fit["batch_size"] == 64
    assert run.config.fit == training.load_run(tmp_path).config.fit
    assert run.config.fit["batch_size"] == 64
    assert train().history == run.history
