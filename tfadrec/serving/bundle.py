"""Writing a bundle, all of it or nothing, and reading it back."""

import os
import pathlib
import tempfile
from collections.abc import Callable

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.data.dataset import Dataset
from tfadrec.metrics import ranking
from tfadrec.models import AdRanker
from tfadrec.serving.answers import answers
from tfadrec.serving.deployment import check_name, write_deployment
from tfadrec.serving.ranking_service import PROBABILITIES, RankingService
from tfadrec.serving.requests import replay
from tfadrec.serving.warm_up import write_warm_up

#: The largest difference between a served and a trained logit, and between two
#: probabilities as a share of them, or of one in a million where that is more.
PARITY = 1e-5
_PARITY_ROWS = 256


def export_bundle(
    ranker: AdRanker,
    dataset: Dataset,
    path: str | pathlib.Path,
    *,
    version: int | None = None,
) -> pathlib.Path:
    """Writes `<path>/<version>/`, a SavedModel for TensorFlow Serving.

    With it goes a file of requests that a server warms up with. Beside the
    version stand `models.config`, in which it is the canary, settings for
    batching, monitoring, Docker and Kubernetes, and a README.

    The bundle is written aside, read back, and its scores are compared with the
    ranker's on some of the dataset's rows. Only then does it take its place by
    a rename, so a server never meets half of it, or one that scores otherwise.

    Args:
      ranker: a built ranker.
      dataset: what it was trained with, or a split of it; the rows to compare
        and to warm up with.
      path: the folder of the model's versions.
      version: a number >= 1; by default one more than the newest there.

    Returns:
      The version's folder.

    Raises:
      InputError: where the version exists or is no number >= 1, or the folder's
        name cannot be a model's.
      TfadrecError: where a served logit, or a probability by its own share,
        differs by more than 1e-5.
    """
    path = pathlib.Path(path)
    check_name(path.absolute().name)
    if version is None:
        there = path.iterdir() if path.is_dir() else ()
        version = 1 + max(
            (int(p.name) for p in there if p.name.isdigit()), default=0
        )
    folder = path / str(version)
    if version < 1 or folder.exists():
        raise InputError(
            "a version is a number >= 1 that is not there yet. Received: "
            f"version={version} in {path}."
        )
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path, prefix=".export-") as scratch:
        fresh = pathlib.Path(scratch, "fresh")
        service = RankingService(ranker, dataset)
        signatures = service.signatures()
        tf.saved_model.save(service, fresh, signatures)
        write_warm_up(fresh, path.absolute().name, signatures, dataset)
        _check_parity(ranker, dataset, fresh)
        os.replace(fresh, folder)
    write_deployment(path, version, signatures)
    return folder


def open_bundle(
    path: str | pathlib.Path,
) -> dict[str, Callable[..., dict[str, np.ndarray]]]:
    """Reads a bundle's signatures.

    Args:
      path: a version's folder, or the folder of versions, of which the newest
        is read.

    Returns:
      Signature name -> function from its inputs, as NumPy arrays or plain
      values, to its outputs.

    Raises:
      InputError: where there is no bundle.
    """
    path = pathlib.Path(path)
    if not (path / "saved_model.pb").is_file():
        there = path.iterdir() if path.is_dir() else ()
        versions = [int(p.name) for p in there if p.name.isdigit()]
        if not versions:
            raise InputError(
                "a bundle is a folder of numbered versions. Received: "
                f"{path}. Write one with `tfadrec export`."
            )
        path = path / str(max(versions))
    loaded = tf.saved_model.load(path)
    return answers(loaded, loaded.signatures)


def _check_parity(ranker, dataset, folder) -> None:
    rows = np.unique(
        np.linspace(0, len(dataset) - 1, _PARITY_ROWS).astype(np.int64)
    )
    served = open_bundle(folder)["serving_default"](**replay(dataset, rows))
    inputs, _ = next(iter(dataset.select(rows).batches(len(rows))))
    trained = {
        task: logits.numpy().astype(np.float64)
        for task, logits in ranker(inputs, training=False).items()
    }
    differences = [np.abs(served["logits"] - trained["clicked"]).max()]
    for answer, task in PROBABILITIES.items():
        if answer in served:
            # For p = sigmoid(z), dp / p = (1 - p) dz, which is at most dz.
            probs = ranking.sigmoid(trained[task])
            shares = (served[answer] - probs) / np.maximum(probs, 1e-6)
            differences.append(np.abs(shares).max())
    difference = float(np.max(differences))
    if not difference <= PARITY:
        raise TfadrecError(
            f"a bundle must score as the ranker does, within {PARITY}. "
            f"Received: a difference of {difference:.2g} on {len(rows)} rows. "
            "Nothing was exported; report this with the ranker's settings."
        )
