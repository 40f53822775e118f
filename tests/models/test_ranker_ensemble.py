"""Several rankers asked as one: the average, whichever way it is asked."""

import numpy as np
import pytest

from tfadrec import models
from tfadrec.core.door import keras
from tfadrec.core.safe_load import load_model
from tfadrec.core.save_model import save_model


@pytest.fixture
def members(small):
    """Two rankers that differ in every weight that is learned."""
    rankers = [small.ranker(), small.ranker()]
    for seed, ranker in enumerate(rankers):
        random = np.random.default_rng(seed)
        for weight in ranker.trainable_variables:
            weight.assign(random.normal(0, 0.3, weight.shape))
    return rankers


def test_the_logit_is_the_average_of_the_members(small, members):
    inputs, _ = small.rows(slate=4)
    one, other = (ranker(inputs)["clicked"].numpy() for ranker in members)
    assert np.abs(one - other).max() > 0.5
    together = models.RankerEnsemble(members)
    np.testing.assert_allclose(
        together(inputs)["clicked"], (one + other) / 2, rtol=1e-5, atol=1e-6
    )


def test_encoded_ads_are_ranked_alike(small, members):
    """As a bundle does it: ads once, and each member reads its own part."""
    inputs, _ = small.rows(slate=4)
    together = models.RankerEnsemble(members)
    tower = together.ad_tower
    ads = {
        name: tower(inputs[name]) for name in ("history_ads", "candidate_ads")
    }
    assert ads["candidate_ads"]["vector"].shape == [12, 4, 16]
    assert ads["candidate_ads"]["bias"].shape == [12, 4, 2]
    ranked = together.rank(inputs, *ads.values())["clicked"]
    np.testing.assert_allclose(
        ranked, together(inputs)["clicked"], rtol=1e-4, atol=1e-5
    )
    columns = tower.columns(inputs["candidate_ads"])
    by_columns = together.rank(
        inputs, ads["history_ads"], tower.encode_columns(columns)
    )
    np.testing.assert_allclose(
        by_columns["clicked"], ranked, rtol=1e-4, atol=1e-5
    )
    user = together.encode_user(inputs, *ads.values())
    assert user["events"].shape[-1] == 16
    assert user["bias"].shape == [12, 2]


def test_a_saved_ensemble_answers_alike(small, members, tmp_path, caplog):
    inputs, _ = small.rows()
    together = models.RankerEnsemble(members)
    together.build()
    together.compile("sgd")
    save_model(together, tmp_path / "model.keras")
    found = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        found(inputs)["clicked"], together(inputs)["clicked"], rtol=1e-6
    )
    assert "Skipping" not in caplog.text  # it has no slots, before and after


def test_what_cannot_be_averaged_is_refused(small):
    with pytest.raises(ValueError, match=r"same tasks\. Received: none"):
        models.RankerEnsemble([])
    other = small.ranker(tasks=("converted",))
    with pytest.raises(ValueError, match="clicked and converted"):
        models.RankerEnsemble([small.ranker(), other])
    tuned = small.ranker()
    tuned.ad_tower.text = keras.layers.Dense(2)
    with pytest.raises(ValueError, match="share a frozen language model"):
        models.RankerEnsemble([small.ranker(), tuned])
