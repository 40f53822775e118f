"""keras-tuner's own tuners search rankers."""

import pytest

from tests.processes import run
from tests.training import small
from tests.tuning import rankers
from tfadrec import evaluation, tuning
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.data import open_dataset

# keras-tuner asks for the thread's name by a name that Python gave up.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:(currentThread|getName):DeprecationWarning"
    ),
    pytest.mark.filterwarnings("ignore:The optimal value found for dimension"),
]


def score(ranker):
    found = evaluation.evaluate(ranker, small.run().valid)
    return found.metrics["clicked"]["gauc"]


@pytest.mark.slow
def test_hyperband_goes_on_where_it_was(tmp_path):
    """Rounds of 1 and 3 epochs have the history of one training."""
    tuner = rankers.tuner("Hyperband", tmp_path, small.world())
    tuner.search(verbose=0)
    trials = tuner.oracle.trials.values()
    promoted = [
        t for t in trials if t.hyperparameters.values.get("tuner/trial_id")
    ]
    assert promoted
    best = tuner.oracle.get_best_trials()[0]
    assert score(tuner.get_best_models()[0]) == pytest.approx(best.score)
    for trial in promoted:
        rate = trial.hyperparameters.values["optimizer.learning_rate"]
        assert len(rankers.history(tmp_path, rate)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", rankers.TUNERS)
def test_the_best_model_reloads_in_another_process(tmp_path, name):
    tuner = rankers.tuner(name, tmp_path, small.world())
    tuner.search(verbose=0)
    best = tuner.oracle.get_best_trials()[0]
    assert score(tuner.get_best_models()[0]) == pytest.approx(best.score)
    done = run(
        "import sys\n"
        "from tests.training import small\n"
        "from tests.tuning import rankers\n"
        "from tfadrec import evaluation\n"
        "tuner = rankers.tuner(*sys.argv[1:])\n"
        "model = tuner.get_best_models()[0]\n"
        "_, (_, valid, _) = tuner.hypermodel._rows(small.config())\n"
        "found = evaluation.evaluate(model, valid)\n"
        "print(found.metrics['clicked']['gauc'])",
        *(name, tmp_path, small.world()),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(best.score)


def test_settings_can_be_overridden():
    class Wide(tuning.AdRankerHyperModel):
        def settings(self, hp):
            return RunConfig(
                text=None, ad_tower={"width": hp.Choice("width", [6, 12])}
            )

    model = Wide(open_dataset(small.world()), "unused")
    assert model.build(tuning.HyperParameters()).ad_tower.width == 6
    assert (model.objective.name, model.objective.direction) == (
        "val_auc",
        "max",
    )
    with pytest.raises(InputError, match="`objective` must be one of"):
        Wide(open_dataset(small.world()), "unused", objective="auc")
