"""A dataset and a model that are just their columns."""

import types

import numpy as np
import pytest

from tfadrec.data import Impressions
from tfadrec.data.event_log import EventLog


class FakeRows(types.SimpleNamespace):
    people = Impressions.people


class FakeDataset:
    def __init__(
        self, labels, logits, users, requests, ads, lengths, weights=None
    ):
        self.impressions = FakeRows(
            labels={k: np.asarray(v, np.float32) for k, v in labels.items()},
            users=np.asarray(users, np.int32),
            requests=np.asarray(requests, np.int64),
            ads=np.asarray(ads, np.int32),
            history_lengths=np.asarray(lengths, np.int64),
            weights=weights,
        )
        self.catalogue = types.SimpleNamespace(
            ad_ids=np.array(["a", "b", "c"], object)
        )
        nothing = np.zeros(0, np.int32)
        self.events = EventLog(nothing, nothing, nothing, None)
        self.logits = logits
        self.batch_sizes = []

    def __len__(self):
        return len(self.impressions.ads)

    def batches(self, batch_size):
        self.batch_sizes.append(batch_size)
        return self.logits


class FakeModel:
    def predict(self, batches):
        return {k: np.asarray(v, np.float32) for k, v in batches.items()}


@pytest.fixture
def model():
    return FakeModel()


@pytest.fixture
def make_dataset():
    return FakeDataset


@pytest.fixture
def random_dataset():
    return _random_dataset


def _random_dataset(n=400, seed=0, tasks=("clicked",)):
    rng = np.random.default_rng(seed)
    logits = {task: rng.normal(-1, 1, n) for task in tasks}
    return FakeDataset(
        labels={
            task: rng.random(n) < 1 / (1 + np.exp(-z))
            for task, z in logits.items()
        },
        logits=logits,
        users=rng.integers(1, 40, n),
        requests=rng.integers(0, 80, n),
        ads=rng.integers(0, 4, n),
        lengths=rng.integers(0, 3, n),
    )
