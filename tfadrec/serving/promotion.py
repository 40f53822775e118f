"""Which version is the stable one: moved after gates, and moved back."""

import math
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfadrec.core.bundle_folder import bundle_folder
from tfadrec.core.errors import InputError
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation import Evaluation, differences, measure
from tfadrec.serving.bundle import open_bundle
from tfadrec.serving.deployment import read_labels, write_labels
from tfadrec.serving.gates import Gates
from tfadrec.serving.requests import replay, with_candidates

_BATCH = 512
_CALLS = 100
_SLATE = 100
#: The labels of the version that is served, the one to come, and the last one.
STABLE, CANARY, PREVIOUS = "stable", "canary", "previous"


@takes(dataset="dataset")
def promote(
    bundle: str | pathlib.Path,
    dataset: Dataset,
    gates: Gates | None = None,
    *,
    rows: int = 20_000,
) -> list[dict[str, Any]]:
    """Gives a bundle's canary the label stable, where it keeps all gates.

    Both versions score the same impressions, each as the request that it was,
    and the same slates in turn. The version that was stable gets the label
    previous and stays loaded, for `roll_back`.

    Args:
      bundle: the folder of versions.
      dataset: labelled impressions that neither version has learned from.
      gates: what the canary has to keep.
      rows: how many impressions are scored at most, >= 1, the newest.

    Returns:
      One dict per gate; see `Gates.outcomes`. Where one is not kept, the labels
      stay.

    Raises:
      InputError: where the canary is the stable version, a version is not
        there, the dataset has no impressions with and without a click, or a
        label was moved meanwhile.
    """
    bundle = pathlib.Path(bundle)
    versions = _labelled(bundle)
    if versions[STABLE] == versions[CANARY]:
        raise InputError(
            "a canary is promoted that is not stable yet. Received: "
            f"{bundle}, where version {versions[CANARY]} is both. Export the "
            "next one there first."
        )
    if rows < 1:
        raise InputError(f"`rows` must be >= 1. Received: rows={rows}.")
    newest = np.argsort(dataset.impressions.times, kind="stable")[-rows:]
    dataset = dataset.select(np.sort(newest))
    clicked = dataset.impressions.labels["clicked"]
    if clicked.min(initial=1) > 0 or clicked.max(initial=0) < 1:
        raise InputError(
            "gates are measured on impressions with and without a click. "
            f"Received: {len(clicked)}, of which {int(clicked.sum())} with "
            "one. Name another dataset."
        )
    opened = {
        label: open_bundle(bundle / str(versions[label]))
        for label in (STABLE, CANARY)
    }
    found = {k: _measure(v, dataset) for k, v in opened.items()}
    latencies = _latencies(opened, dataset)
    stable, canary = (
        {**found[label].metrics["clicked"], "latency": latencies[label]}
        for label in (STABLE, CANARY)
    )
    outcomes = (gates or Gates()).outcomes(
        stable,
        canary,
        differences(
            {label: [found[label]] for label in (STABLE, CANARY)},
            dataset,
            metrics=("auc", "log_loss"),
            parts=["all"],
        ),
    )
    if all(outcome["kept"] for outcome in outcomes):
        write_labels(
            bundle,
            {
                STABLE: versions[CANARY],
                CANARY: versions[CANARY],
                PREVIOUS: versions[STABLE],
            },
            before=versions,
        )
    return outcomes


def roll_back(bundle: str | pathlib.Path) -> int:
    """Gives the label stable back to the version that had it before.

    Args:
      bundle: the folder of versions.

    Returns:
      That version. The one that was stable stays the canary.

    Raises:
      InputError: where no version has the label previous, or is not there.
    """
    bundle = pathlib.Path(bundle)
    labels = _labelled(bundle)
    if PREVIOUS not in labels:
        raise InputError(
            "a rollback needs a version with the label previous, as `tfadrec "
            f"promote` gives it. Received: {bundle}, which has none."
        )
    version = labels[PREVIOUS]
    now = {STABLE: version, CANARY: labels[CANARY]}
    write_labels(bundle, now, before=labels)
    return version


def _labelled(bundle: pathlib.Path) -> dict[str, int]:
    """The bundle's labels, all of versions that are there.

    What a killed call has left is cleared away, also where nothing is to do.
    """
    bundle_folder(bundle).check()
    labels = read_labels(bundle)
    for label in (STABLE, CANARY):
        if label not in labels:
            raise InputError(
                f"a bundle's models.config names its {label} version. "
                f"Received: {bundle}, where it does not. Export a version."
            )
    for label, version in labels.items():
        if not (bundle / str(version) / "saved_model.pb").is_file():
            raise InputError(
                f"models.config must name versions that are there. Received: "
                f"{label} {version} in {bundle}, which is not. Mend the file, "
                "or export again."
            )
    return labels


def _measure(
    signatures: Mapping[str, Callable[..., dict[str, np.ndarray]]],
    dataset: Dataset,
) -> Evaluation:
    """What a version says of the rows' clicks.

    It answers with the odds of all impressions; where the rows keep a share r
    of those without a click, the odds of these rows are 1 / r of that.
    """
    parts = np.array_split(np.arange(len(dataset)), -(-len(dataset) // _BATCH))
    logits = np.concatenate(
        [
            signatures["serving_default"](**replay(dataset, p))["logits"]
            for p in parts
        ]
    )
    shift = math.log(dataset.schema.negatives_kept)
    return measure({"clicked": logits - shift}, dataset)


def _latencies(
    opened: Mapping[str, Mapping[str, Callable[..., Any]]], dataset: Dataset
) -> dict[str, float]:
    """The 99th percentile of each version's milliseconds for a slate."""
    user = {
        k: v
        for k, v in replay(dataset, np.array([len(dataset) - 1])).items()
        if k != "candidate_ads"
    }
    request = with_candidates(
        dataset, user, dataset.catalogue.ad_ids[None, :_SLATE]
    )
    spent: dict[str, list[float]] = {label: [] for label in opened}
    for _ in range(_CALLS):
        for label, signatures in opened.items():
            begun = time.perf_counter()
            signatures["score_slate"](**request)
            spent[label].append(1000 * (time.perf_counter() - begun))
    # Without the first calls, which a server's warm-up has made.
    return {k: float(np.percentile(v[5:], 99)) for k, v in spent.items()}
