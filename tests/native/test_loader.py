"""Bundles by the C++ function that TensorFlow Serving loads them with."""

import pytest

from tests.native import compile
from tests.serving import shop, worlds
from tfadrec import serving
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


@pytest.mark.slow
def test_what_finds_filters_and_chooses_ads_answers_in_cpp(no_replay, tmp_path):
    """Signatures and inputs that only settings of an export bring."""
    ranker, dataset = shop.shop().ranker, shop.dataset()
    folder = serving.export_bundle(
        ranker,
        dataset,
        tmp_path,
        anchors=dataset,
        filters=["brand"],
        order=serving.OrderSettings("price", "img", ("brand",)),
    )
    asked = list(warm_up_file.requests(folder / warm_up.FILE))
    answers = compile.answers(compile.loader(), folder, asked, tmp_path)
    inputs = {name for _, request in asked for name in request}
    assert {"allow_brand", "diversity", "cap_brand"} <= inputs
    assert {"retrieve", "recommend"} <= {signature for signature, _ in asked}
    means = (*Scores(ranker, dataset.schema.negatives_kept).means, "scores")
    ask = serving.open_bundle(folder)
    for (signature, request), found in zip(asked, answers, strict=True):
        expected = ask[signature](**request)
        assert largest(found, expected, means, tie=1e-5) <= 1e-5, signature
