"""Bundles that version 0.1.0 has exported are served.

`tests/training/version_1` holds one of the run that is there.
"""

import json
import pathlib
import tarfile

import numpy as np
import pytest

from tfadrec import deltas, serving
from tfadrec.core.errors import InputError
from tfadrec.data.open_dataset import open_dataset
from tfadrec.diagnosis import examine_bundle
from tfadrec.serving.deployment import check_deployment, read_labels
from tfadrec.serving.preview.servable import Servable

FOLDER = pathlib.Path(__file__).parents[1] / "training" / "version_1"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(FOLDER / "bundle.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "bundle"


@pytest.fixture(scope="module")
def dataset():
    return open_dataset(FOLDER / "data").with_history_length(4)


def test_the_preview_answers_as_the_run_did(bundle, dataset):
    """Requests as today's clients make them, of all rows of the dataset."""
    request = serving.replay(dataset, np.arange(len(dataset)))
    servable = Servable(bundle / "1")
    assert {"score_slate", "recommend"} <= set(servable.signatures)
    answer = servable.run("serving_default", request, seconds=60)
    told = json.loads((FOLDER / "logits.json").read_text())
    logits = np.array(told["clicked"])
    np.testing.assert_allclose(answer["logits"], logits, rtol=0, atol=1e-5)
    for task, name in (("converted_if_clicked", "pcvr"), ("clicked", "pctr")):
        expected = 1 / (1 + np.exp(-np.array(told[task])))
        np.testing.assert_allclose(answer[name], expected, atol=1e-6)


def test_newer_versions_may_stand_beside_it(bundle, tmp_path):
    """But what they change in it is not told: it has no manifest."""
    check_deployment(bundle)
    assert read_labels(bundle) == {"stable": 1, "canary": 1}
    with pytest.raises(InputError, match=r"0\.1\.0 has none, so send the new"):
        deltas.write_delta(bundle, bundle, tmp_path / "delta")


@pytest.mark.slow
def test_doctor_finds_what_it_lacks(bundle, dataset):
    """The profile of the training rows, which bundles did not have."""
    [finding] = examine_bundle(bundle / "1", dataset)
    assert finding.name == "no_profile"
