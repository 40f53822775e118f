"""What is said of a ranker before its first step."""

import pytest

from tests.training import small
from tfadrec import data, training
from tfadrec.core.feature import Feature
from tfadrec.training import without_steps


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, ""),
        ((), "begins with no levels and no slopes\n"),
        (("users", "ads"), "begins with levels of ads, users and no slopes\n"),
        (
            ("users by feature tags_2", "users by texts"),
            "begins with no levels and slopes of users by tags, users by "
            "texts\n",
        ),
    ],
)
def test_levels_and_slopes_are_told_in_the_names_of_features(
    monkeypatch, capsys, found, told
):
    monkeypatch.setattr(without_steps, "start_linear", lambda *_: found)
    log = data.open_dataset(small.world())
    ranker = training.build_ranker(small.config(), log)
    ranker.build()
    tags = Feature("tags", "ad", "categories", "tags_2")
    features = (*log.schema.features, tags)
    object.__setattr__(log.schema, "features", features)
    without_steps.start(ranker, log, progress=True)
    assert capsys.readouterr().err == told
