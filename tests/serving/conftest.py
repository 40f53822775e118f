"""Both worlds, one after the other, and a server of one of them."""

import itertools

import numpy as np
import pytest

from tests.serving import malformed, servers, worlds
from tfadrec import serving
from tfadrec.serving.preview import warm_up
from tfadrec.serving.requests import without_candidates


@pytest.fixture(params=["words", "numbers"])
def world(request):
    return {"words": worlds.words, "numbers": worlds.numbers}[request.param]()


@pytest.fixture
def request_of(world):
    """A request of one user with a full history, and candidates to score."""
    lengths = world.dataset.impressions.history_lengths
    row = int(lengths.argmax())
    return serving.replay(world.dataset, [row])


@pytest.fixture
def one_request(monkeypatch):
    """Versions answer the first request of their warm-up file alone.

    All of them take five seconds of a processor for each version.
    """
    every = warm_up.requests
    monkeypatch.setattr(
        warm_up, "requests", lambda file: itertools.islice(every(file), 1)
    )


@pytest.fixture(scope="session")
def server():
    """The preview of `numbers`."""
    path = worlds.bundle("numbers")
    with servers.preview(
        path, "--max-megabytes", malformed.BODY // 2**20
    ) as found:
        yield found


@pytest.fixture(scope="session")
def arrays():
    """Signature of `numbers` -> a good request, as arrays."""
    dataset = worlds.numbers().dataset
    lengths = dataset.impressions.history_lengths
    rows = np.argsort(-lengths, kind="stable")[:3]
    replayed = serving.replay(dataset, rows)
    user = without_candidates(dataset.schema, replayed)
    ads = dataset.catalogue.ad_ids
    slates = ads[:15].reshape(3, 5)
    choice = {
        "exclude_ads": ads[:3, None],
        "exclude_history": np.array([True, False, True]),
        "k": np.array([4, 2, 3], np.int32),
    }
    return {
        "serving_default": replayed,
        "score_slate": {**user, "candidate_ads": slates},
        "recommend": {**user, **choice},
        "recommend_from": {
            **user,
            **choice,
            "candidate_ads": slates,
            "bids": np.linspace(0.5, 2, 15).reshape(3, 5).astype(np.float32),
        },
        "serve_examples": {"examples": serving.to_examples(replayed)},
    }


@pytest.fixture(scope="session")
def expected(arrays):
    """The answers of the bundle itself."""
    ask = worlds.opened("numbers")
    return {name: ask[name](**request) for name, request in arrays.items()}
