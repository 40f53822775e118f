"""Whether a bundle scores as the ranker that it was made of."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadrec.core.errors import TfadrecError
from tfadrec.data.dataset import Dataset
from tfadrec.metrics import ranking
from tfadrec.models import AdRanker
from tfadrec.serving.ranking_service import PROBABILITIES
from tfadrec.serving.requests import replay

#: The largest difference between a served and a trained logit, and between two
#: probabilities as a share of them, or of one in a million where that is more.
PARITY = 1e-5
_ROWS = 256
_SCRIPT = pathlib.Path(__file__).with_name("replay_bundle.py")


def check_parity(
    ranker: AdRanker, dataset: Dataset, folder: pathlib.Path
) -> None:
    """Replays rows of the dataset through a bundle, in a process of its own.

    That process imports TensorFlow alone. It answers by the object API and by
    the session API, and each with histories padded as a server pads requests
    that it merges. `parity.json` in the bundle's folder says how far the scores
    are from the ranker's at most, and how long requests took.

    Args:
      ranker: what the bundle was made of.
      dataset: with at least one impression.
      folder: of the bundle's version.

    Raises:
      TfadrecError: where the bundle cannot be loaded or answers otherwise.
    """
    rows = np.unique(np.linspace(0, len(dataset) - 1, _ROWS).astype(np.int64))
    answers, latency = _replay(folder, replay(dataset, rows))
    inputs, _ = next(iter(dataset.select(rows).batches(len(rows))))
    trained = {
        task: logits.numpy().astype(np.float64)
        for task, logits in ranker(inputs, training=False).items()
    }
    differences = {
        f"{api}, {case}": _difference(answered, trained)
        for (api, case), answered in answers.items()
    }
    worst = max(differences.values())
    if not worst <= PARITY:
        raise TfadrecError(
            f"a bundle must score as the ranker does, within {PARITY}. "
            f"Received: a difference of {worst:.2g} on {len(rows)} rows. "
            "Nothing was exported; report this with the ranker's settings."
        )
    report = {
        "rows": len(rows),
        "bound": PARITY,
        "differences": differences,
        "latency_ms": latency,
    }
    (folder / "parity.json").write_text(json.dumps(report, indent=2) + "\n")


def _replay(
    folder: pathlib.Path, request: Mapping[str, np.ndarray]
) -> tuple[dict[tuple[str, str], dict[str, np.ndarray]], Any]:
    """Answers by API and case, and latencies, from a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        requests = pathlib.Path(scratch, "requests.npz")
        found = pathlib.Path(scratch, "answers.npz")
        # Strings are kept as such: an array of objects would be a pickle.
        plain = {
            name: values.astype(str) if values.dtype == object else values
            for name, values in request.items()
        }
        np.savez(requests, allow_pickle=False, **plain)
        # On the CPU, as this process may hold all of a GPU's memory.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        environment.pop("TF_USE_LEGACY_KERAS", None)
        command = [sys.executable, "-I", _SCRIPT, folder, requests, found]
        done = subprocess.run(
            list(map(str, command)),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise TfadrecError(
                "a bundle must answer where only TensorFlow is installed. "
                f"Received: {reason} Nothing was exported; report this with "
                "the ranker's settings."
            )
        answers: dict[tuple[str, str], dict[str, np.ndarray]] = {}
        with np.load(found) as file:
            for key, values in file.items():
                api, case, name = key.split("/")
                answers.setdefault((api, case), {})[name] = values
    return answers, json.loads(done.stdout.splitlines()[-1])


def _difference(
    served: Mapping[str, np.ndarray], trained: Mapping[str, np.ndarray]
) -> float:
    differences = [np.abs(served["logits"] - trained["clicked"]).max()]
    for answer, task in PROBABILITIES.items():
        if answer in served:
            # For p = sigmoid(z), dp / p = (1 - p) dz, which is at most dz.
            probs = ranking.sigmoid(trained[task])
            shares = (served[answer] - probs) / np.maximum(probs, 1e-6)
            differences.append(np.abs(shares).max())
    return float(np.max(differences))
