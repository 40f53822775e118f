"""keras-tuner's four tuners search models of tf_keras."""

import json

import pytest

from tests.processes import run
from tests.tuning import searches
from tfadrec import tuning
from tfadrec.core.door import keras


# keras-tuner asks for the thread's name by a name that Python gave up.
@pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning")
# Its model of four trials is a poor one, and says so.
@pytest.mark.filterwarnings("ignore:The optimal value found for dimension")
@pytest.mark.slow
def test_searches_end_and_reload_in_another_process(tmp_path):
    scores = {}
    for name in searches.TUNERS:
        made = searches.tuner(name, tmp_path, overwrite=True)
        made.search(
            *searches.rows(), validation_data=searches.rows(), verbose=0
        )
        assert len(made.oracle.trials) > 2
        trial, model = searches.best(made)
        assert model == pytest.approx(trial, abs=1e-6)
        losses = [t.score for t in made.oracle.trials.values()]
        assert trial == min(losses) < max(losses)
        scores[name] = trial
    done = run(
        "import json, sys\n"
        "from tests.tuning import searches\n"
        "print(json.dumps({n: searches.best(\n"
        "    searches.tuner(n, sys.argv[1], overwrite=False))\n"
        "    for n in searches.TUNERS}))",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for name, score in scores.items():
        assert found[name] == pytest.approx([score, score], abs=1e-6)


def test_the_models_are_those_of_tf_keras():
    model = tuning.HyperModel().build  # to be overridden
    with pytest.raises(NotImplementedError):
        model(tuning.HyperParameters())
    assert isinstance(searches.build(tuning.HyperParameters()), keras.Model)


@pytest.mark.slow
def test_keras_itself_is_left_alone():
    done = run(
        "import sys, tfadrec.tuning, keras\n"
        "print(keras.__name__, keras.__version__[0])"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["keras", "3"]


@pytest.mark.slow
def test_keras_tuner_that_was_imported_for_keras_3():
    done = run(
        "import os, keras_tuner, keras\n"
        "import tfadrec\n"
        "from tfadrec import tuning"
    )
    assert done.returncode != 0
    assert "Import `tfadrec.tuning` before keras_tuner." in done.stderr
