"""Bundles by the C++ function that TensorFlow Serving loads them with."""

import pytest

from tests.native import compile
from tests.serving import worlds
from tfadrec.native import warm_up_file
from tfadrec.serving import warm_up
from tfadrec.serving.differences import largest
from tfadrec.serving.scores import Scores


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "numbers"])
def test_every_signature_answers_in_cpp(name, tmp_path):
    """Every warm-up request, as the exported functions answer it."""
    loader = compile.loader()
    world = getattr(worlds, name)()
    folder = worlds.bundle(name) / "1"
    asked = list(warm_up_file.requests(folder / warm_up.FILE))
    answers = compile.answers(loader, folder, asked, tmp_path)
    assert {signature for signature, _ in asked} == set(world.ask)
    means = Scores(world.ranker, world.dataset.schema.negatives_kept).means
    for (signature, request), found in zip(asked, answers, strict=True):
        expected = world.ask[signature](**request)
        assert set(found) == set(expected)
        assert largest(found, expected, means, tie=1e-5) <= 1e-5, signature
