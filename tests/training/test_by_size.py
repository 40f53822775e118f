"""What the size of the data tells, and where it is written."""

import dataclasses
import json
import types

import pytest

from tests.training import small
from tfadrec import training
from tfadrec.core.config import RunConfig
from tfadrec.training.by_size import (
    batch_size_for,
    batch_size_of,
    chosen_by_size,
    fold_in_chosen,
)


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


@dataclasses.dataclass
class Requests:
    """Rows in requests of one size."""

    requests: int
    size: int

    def __len__(self):
        return self.requests * self.size

    def slates(self):
        return types.SimpleNamespace(sizes=[self.size] * self.requests)


@pytest.mark.parametrize(
    ("requests", "size", "expected"),
    [
        (17_920, 1, 256),  # 70 steps either way
        (2_240, 8, 32),  # 17,920 rows, 70 steps either way
        (64, 10, 8),  # 640 rows, 64 a step: 10 steps, and 8 of requests
        (400, 50, 4),  # 20,000 rows, 256 a step: 78 steps, and 100
        (10, 100, 1),  # 64 rows are less than one request
        (10**6, 4, 128),
    ],
)
def test_a_batch_of_requests_has_as_many_rows(requests, size, expected):
    rows = Requests(requests, size)
    assert batch_size_of(rows, "request") == expected
    of_rows = batch_size_of(rows, "row")
    assert of_rows == batch_size_for(len(rows))
    steps = len(rows) / of_rows
    # Rounded to a power of two; a request is the least that a step can have.
    assert requests / expected >= min(steps / 2**0.5, requests)


def test_what_is_given_stays():
    rows = small.trained().train
    given = {"batch_size": 7, "epochs": 3}
    assert chosen_by_size(given, rows) == given
    assert chosen_by_size({"epochs": 3}, rows)["batch_size"] == 64


def test_the_choice_is_written_into_the_run(untraced, tmp_path):
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


@dataclasses.dataclass
class Rows:
    """What the rule for opinions looks at."""

    count: int = 10_000
    history_length: int = 50
    ads: int = 200_000
    num_events: int = 1

    @property
    def events(self):
        return types.SimpleNamespace(ads=range(self.num_events))

    @property
    def catalogue(self):
        return range(self.ads)

    def __len__(self):
        return self.count


@pytest.mark.parametrize(
    ("rows", "settings", "expected"),
    [
        (Rows(), {}, {"rank": 16}),
        (Rows(count=9_999), {}, None),
        (Rows(ads=200_001), {}, None),
        (Rows(history_length=0), {}, None),
        (Rows(num_events=0), {}, None),
        (Rows(), {"ad_tower": {"use_id": False}}, None),
        (Rows(), {"ranker": {"losses": {"clicked": "jrc"}}}, None),
        (Rows(), {"fold_in": None}, None),
        (Rows(count=1), {"fold_in": {"rank": 3}}, {"rank": 3}),
    ],
)
def test_opinions_are_folded_in_where_rows_suit_it(rows, settings, expected):
    assert fold_in_chosen(RunConfig(**settings), rows) == expected
