"""Which version is the stable one: moved after gates, and moved back."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfadrec.core.bundle_folder import bundle_folder, version_numbers
from tfadrec.core.errors import InputError
from tfadrec.core.moment_text import moment_text
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation import Evaluation, differences, measure
from tfadrec.serving.ad_record import some
from tfadrec.serving.bundle import open_bundle
from tfadrec.serving.deployment import (
    path_of_label,
    read_labels,
    write_labels,
)
from tfadrec.serving.gates import Gates
from tfadrec.serving.judged_notes import judged_notes
from tfadrec.serving.latencies import latencies, slower
from tfadrec.serving.learned_rows import LearnedRows
from tfadrec.serving.requests import replay
from tfadrec.serving.taken_down import still_given

_BATCH = 512
#: The labels of the version that is served, the one to come, and the last one.
STABLE, CANARY, PREVIOUS = "stable", "canary", "previous"
#: The label whose version a label goes back to.
_GOES_TO = {STABLE: PREVIOUS, CANARY: STABLE}


@dataclasses.dataclass(frozen=True)
class Promotion:
    """What the gates say of a canary, and by which rows.

    Attributes:
      outcomes: one dict per gate; see `Gates.outcomes`.
      rows: those that both versions have scored.
      learned: how many rows were left out as a version has learned them.
      until: the time until which a version has learned, in seconds since 1970;
        None where neither tells.
      untold: the versions that do not tell it.
      notes: what is odd about the rows, one line each.
      rounds: of calls by which the latency was judged.
    """

    outcomes: list[dict[str, Any]]
    rows: Dataset
    learned: int
    until: int | None
    untold: tuple[int, ...]
    notes: tuple[str, ...]
    rounds: int


@takes(dataset="dataset")
def promote(
    bundle: str | pathlib.Path,
    dataset: Dataset,
    gates: Gates | None = None,
    *,
    rows: int = 20_000,
) -> Promotion:
    """Gives a bundle's canary the label stable, where it keeps all gates.

    Both versions score the same impressions, each as the request that it was,
    and the same slates in turn. An impression that is not newer than all that
    the versions have learned is left out. The version that was stable gets the
    label previous and stays loaded, for `roll_back`. Labels of a team's own
    stay where they are.

    Args:
      bundle: the folder of versions.
      dataset: labelled impressions, and what their users did before, as in the
        joined dataset of an updated run.
      gates: what the canary has to keep.
      rows: how many impressions are scored at most, >= 1, the newest.

    Returns:
      The outcomes. Where a gate is not kept, the labels stay.

    Raises:
      InputError: where the canary is the stable version, or gives ads that were
        taken down, a version is not
        there, the dataset has no newer impressions with and without a click, or
        a label was moved meanwhile.
    """
    bundle = pathlib.Path(bundle)
    versions = _labelled(bundle)
    if versions[STABLE] == versions[CANARY]:
        raise InputError(
            "a canary is promoted that is not stable yet. Received: "
            f"{bundle}, where version {versions[CANARY]} is both. Export the "
            "next one there first."
        )
    given = still_given(bundle, versions[CANARY])
    if given:
        raise InputError(
            "a canary is promoted that gives no ad that was taken down. "
            f"Received: {bundle}, whose version {versions[CANARY]} gives "
            f"{len(given)}, such as {some(given)}. Take them from it with "
            f"`tfadrec index {bundle} --remove ID`."
        )
    if rows < 1:
        raise InputError(f"`rows` must be >= 1. Received: rows={rows}.")
    told = {
        versions[label]: LearnedRows.load(bundle / str(versions[label]))
        for label in (STABLE, CANARY)
    }
    known = [found.until for found in told.values() if found is not None]
    until = max(known, default=None)
    dataset, learned = _not_learned(dataset, until, rows)
    version = versions[CANARY]
    notes = judged_notes(dataset, bundle / str(version), told[version])
    opened = {
        label: open_bundle(bundle / str(versions[label]))
        for label in (STABLE, CANARY)
    }
    found = {k: _measure(v, dataset) for k, v in opened.items()}
    spent = latencies(opened, dataset)
    ratio = slower(spent[STABLE], spent[CANARY])
    stable, canary = (
        {**found[label].metrics["clicked"], "latency": ratio[label]}
        for label in (STABLE, CANARY)
    )
    canary |= {"latency_low": ratio["low"], "latency_high": ratio["high"]}
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
                **versions,
                STABLE: versions[CANARY],
                PREVIOUS: versions[STABLE],
            },
            before=versions,
        )
    untold = tuple(version for version, rows in told.items() if rows is None)
    rounds = len(spent[CANARY])
    return Promotion(outcomes, dataset, learned, until, untold, notes, rounds)


def _not_learned(
    dataset: Dataset, until: int | None, rows: int
) -> tuple[Dataset, int]:
    """The newest rows behind a time, and how many of the others there are."""
    times = dataset.impressions.times
    is_new = np.full(len(times), True) if until is None else times > until
    learned = int((~is_new).sum())
    if learned and not is_new.any():
        raise InputError(
            "gates are measured on impressions that neither version has "
            f"learned. Received: {len(times)}, the newest of "
            f"{moment_text(times.max())} (UTC), and a version that has learned "
            f"until {moment_text(until or 0)}. Name a dataset with newer ones."
        )
    places = np.flatnonzero(is_new)
    newest = places[np.argsort(times[places], kind="stable")[-rows:]]
    dataset = dataset.select(np.sort(newest))
    clicked = dataset.impressions.labels["clicked"]
    if clicked.min(initial=1) > 0 or clicked.max(initial=0) < 1:
        left = f" {learned} that a version has learned are left out."
        raise InputError(
            "gates are measured on impressions with and without a click. "
            f"Received: {len(clicked)}, of which {int(clicked.sum())} with "
            f"one.{left * bool(learned)} Name another dataset."
        )
    return dataset, learned


def roll_back(bundle: str | pathlib.Path, *, on: str = STABLE) -> int:
    """Moves the label stable, or canary, off a version that is no good.

    Stable goes back to the version with the label previous, which that loses;
    the version that was stable stays the canary if it was. The canary goes back
    to the stable version. All other labels stay where they are.

    Args:
      bundle: the folder of versions.
      on: the label, `stable` or `canary`.

    Returns:
      The version that it goes to.

    Raises:
      InputError: where there is none to go back to, or a version that has a
        label is not there.
    """
    bundle = pathlib.Path(bundle)
    labels = _labelled(bundle)
    if on not in _GOES_TO:
        raise InputError(
            f"a rollback is of the label {' or '.join(_GOES_TO)}. Received: "
            f"{on!r}."
        )
    source = _GOES_TO[on]
    if labels.get(source) in (None, labels[on]):
        raise InputError(
            f"a rollback of {on} goes to another version, with the label "
            f"{source}. Received: {bundle}, which has none. "
            f"{_other_way(bundle, labels)}"
        )
    now = {**labels, on: labels[source]}
    if on == STABLE:
        del now[PREVIOUS]
    write_labels(bundle, now, before=labels)
    return now[on]


def _other_way(bundle: pathlib.Path, labels: Mapping[str, int]) -> str:
    """What to do where a label has nothing to go back to."""
    if labels[CANARY] != labels[STABLE]:
        return (
            f"To give up the canary: `tfadrec rollback {bundle} --on canary`."
        )
    there = ", ".join(map(str, version_numbers(bundle)))
    return (
        "By hand: change the number beside the label in models.config to one "
        f"of {there}; a server reads that file again every minute."
    )


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
        path_of_label(bundle, label, version)
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
