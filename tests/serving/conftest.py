"""Both worlds, one after the other."""

import pytest

from tests.serving import worlds


@pytest.fixture(params=["words", "numbers"])
def world(request):
    return {"words": worlds.words, "numbers": worlds.numbers}[request.param]()


@pytest.fixture
def request_of(world):
    """A request of one user with a full history, and candidates to score."""
    from tfadrec import serving

    lengths = world.dataset.impressions.history_lengths
    row = int(lengths.argmax())
    return serving.replay(world.dataset, [row])
