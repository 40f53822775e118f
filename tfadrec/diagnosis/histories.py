"""Histories that are not those of the rows' users."""

from collections.abc import Iterator

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis.finding import Finding


def wrong_histories(dataset: Dataset) -> Iterator[Finding]:
    """Histories of nobody, or of somebody else."""
    rows, events = dataset.impressions, dataset.events
    filled = rows.history_lengths > 0
    if not len(events.ads):
        yield Finding(
            "no_history",
            "note",
            "history",
            "no row has a history, and the log has no events",
            f"{len(rows.ads)} rows",
            "Name `events` where the log tells what users did before.",
        )
    if len(events.ads) and not filled.any():
        yield Finding(
            "no_history",
            "warning",
            "history",
            "no row has an event before it, and the log has events",
            f"{len(events.ads)} events, {len(rows.ads)} rows",
            "Are the users' ids of both files the same, and the events older?",
        )
    if events.users is None or not filled.any():
        return
    known = np.flatnonzero(filled & (rows.users > 0))
    ends = (rows.history_starts[known], rows.history_ends[known] - 1)
    wrong = np.zeros(len(known), bool)
    for place in ends:
        wrong |= events.users[place] != rows.users[known]
    if wrong.any():
        yield Finding(
            "foreign_history",
            "error",
            "history",
            "histories hold events of other users",
            f"{wrong.sum()} of {len(known)} rows",
            "Prepare the dataset again; do not cut or sort its events alone.",
        )


def single_rows(dataset: Dataset) -> Iterator[Finding]:
    """Users of whom there is one row each, so that none is met again."""
    users = dataset.impressions.users
    known = users[users > 0]
    if len(known) > 1 and len(np.unique(known)) == len(known):
        yield Finding(
            "single_rows",
            "note",
            "user id",
            "no user has a second row",
            f"{len(known)} users",
            "Nothing can be learned of a user's id, and `gauc` cannot be told: "
            "judge by `auc`.",
        )
