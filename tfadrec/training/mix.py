"""A ranker's logits and a cross-encoder's, mixed as validation rows tell."""

import dataclasses

import numpy as np

from tfadrec.calibration import Mixture
from tfadrec.core.errors import InputError
from tfadrec.metrics import ranking
from tfadrec.runs.record import fingerprint
from tfadrec.training.cross_encoder_run import CrossEncoderRun
from tfadrec.training.run import Run, calibration_rows


@dataclasses.dataclass(frozen=True)
class Mix:
    """A mixture, and what it brings on the rows that it was fitted to.

    Args:
      mixture: of the two logits.
      alone: the AUC of the ranker.
      mixed: the AUC of the mixture; it has three numbers of these rows.
    """

    mixture: Mixture
    alone: float
    mixed: float


def mix(run: Run, reads: CrossEncoderRun) -> Mix:
    """Mixes a cross-encoder's logits with those of a ranker.

    The rows are the ranker's validation rows, from which neither of the two may
    have learned. Its logits are those of its calibration, if it has one.

    Args:
      run: of a ranker with the task `clicked`.
      reads: made with the same dataset.

    Raises:
      InputError: where the two are of different datasets, there are no such
        rows, or only rows of one label.
    """
    rows, logits = calibration_rows(run)
    _check_unseen(run, reads)
    if run.calibration is not None:
        logits = run.calibration.of_rows(logits, rows)
    shown = rows.impressions
    labels = np.asarray(shown.labels["clicked"], np.float64)
    weights = np.ones(len(rows))
    if shown.weights is not None:
        weights = np.asarray(shown.weights, np.float64)
    used = weights > 0
    if not (labels[used].min(initial=1) < labels[used].max(initial=0)):
        raise InputError(
            "two models are mixed by rows with a click and rows without one. "
            "Received: validation rows that are all alike. Take more of them "
            "by `data.valid`."
        )
    z, x = logits["clicked"], reads.logits(rows)
    mixture = Mixture.fit(z[used], x[used], labels[used], weights[used])
    alone, mixed = (
        ranking.auc(shown.labels["clicked"], values, shown.weights)
        for values in (z, np.asarray(mixture.mixed(mixture.alone(z), x)))
    )
    return Mix(mixture, alone, mixed)


def _check_unseen(run: Run, reads: CrossEncoderRun) -> None:
    """Refuses rows that a cross-encoder has learned from, or of other data."""
    ours, theirs = run.valid.origin, reads.train.origin
    assert ours is not None  # both were read from their folder
    assert theirs is not None
    if fingerprint(ours.whole) != fingerprint(theirs.whole):
        raise InputError(
            "a ranker and its re-ranker are made with the same dataset. "
            f"Received: {theirs.path}, and {ours.path} of the ranker. Train "
            "one of them again."
        )
    common = np.intersect1d(ours.numbers, theirs.numbers)
    if len(common):
        raise InputError(
            "a cross-encoder is mixed in by validation rows of the ranker, "
            f"from which it has not learned. Received: {len(common)} that it "
            "has. Train one of them again, with the other's `data`."
        )
