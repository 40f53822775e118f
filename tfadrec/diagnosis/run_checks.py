"""What a trained ranker does not do and should."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.door import tf
from tfadrec.diagnosis.finding import Finding
from tfadrec.diagnosis.logits import saturated
from tfadrec.diagnosis.scored import Scored
from tfadrec.metrics import probabilities, ranking
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.training import Run

_BATCH, _BATCHES = 512, 4
#: Of the time of a step, what is too much to wait for its batch.
_WAITS = 0.5


def training_steps(run: Run) -> Iterator[Finding]:
    """Weights that the loss does not reach, and batches that come too late.

    Steps are taken without changing a weight; the first one is not timed.
    """
    ranker = run.ranker
    largest = np.zeros(len(ranker.trainable_variables))
    waited, stepped = [], []
    size = run.config.fit.get("batch_size", _BATCH)
    batches = iter(run.train.batches(size, seed=0))
    for _ in range(_BATCHES):
        begun = time.perf_counter()
        batch = next(batches)
        came = time.perf_counter()
        largest = np.maximum(largest, _slopes(ranker, batch))
        waited.append(came - begun)
        stepped.append(time.perf_counter() - came)
    ranker.reset_metrics()
    still = [
        variable.name
        for variable, size in zip(
            ranker.trainable_variables, largest, strict=True
        )
        if size == 0 and not _is_for_the_missing(variable.name)
    ]
    if still:
        yield _not_training(run, still, len(largest))
    wait, step = np.median(waited[1:]), np.median(stepped[1:])
    if wait > _WAITS * step:
        yield Finding(
            "slow_input",
            "warning",
            "batches",
            "training waits for its rows",
            f"{1000 * wait:.0f} ms for a batch, {1000 * step:.0f} ms to learn "
            "from it",
            "Give the input more cores, or a smaller batch or history.",
        )


def _not_training(run: Run, still: list[str], number: int) -> Finding:
    """What to say of weights without a gradient, of so many."""
    much = (
        f"{len(still)} of {number} weights, "
        f"{', '.join(still[:5])}{' …' if len(still) > 5 else ''}"
    )
    if not np.any(run.train.impressions.history_lengths):
        return Finding(
            "no_history",
            "note",
            still[0],
            "weights do not train, and no row has a history that they could "
            "read",
            much,
            "Name `events` where the log tells what users did before.",
        )
    return Finding(
        "weights_do_not_train",
        "warning",
        still[0],
        "the loss does not depend on weights that should be trained",
        much,
        "Is the piece wired up, and are its inputs not all zero?",
    )


def _slopes(ranker: Ranker, batch: Any) -> NDArray[np.float64]:
    """The largest size of each weight's gradient."""
    with tf.GradientTape() as tape:
        loss = ranker.compute_loss(batch, training=False)
    gradients = tape.gradient(loss, ranker.trainable_variables)
    found = np.zeros(len(gradients))
    for place, gradient in enumerate(gradients):
        if gradient is not None:
            values = getattr(gradient, "values", gradient)
            found[place] = float(tf.reduce_max(tf.abs(values)))
    return found


def broken_weights(run: Run) -> Iterator[Finding]:
    """Weights that are not finite, and tables with rows far off."""
    for variable in run.ranker.trainable_variables:
        values = variable.numpy()
        if not np.isfinite(values).all():
            yield Finding(
                "weights_not_finite",
                "error",
                variable.name,
                "weights are nan or infinite",
                f"{(~np.isfinite(values)).sum()} of {values.size} numbers",
                "Lower the learning rate, or clip gradients "
                "(`global_clipnorm`), and train again.",
            )
            continue
        if "embedding" not in variable.name or values.ndim != 2:
            continue
        norms = np.linalg.norm(values, axis=1)
        used = norms[norms > 0]
        if len(used) >= 20 and norms.max() > 100 * np.median(used):
            yield Finding(
                "exploding_embedding",
                "warning",
                variable.name,
                "a row of the table is far longer than the others",
                f"{norms.max():.3g}, and {np.median(used):.3g} in the middle",
                "Lower the learning rate, or penalise ids (`id_l2`).",
            )
        if len(norms) >= 20 and len(used) < 0.05 * len(norms):
            yield Finding(
                "dead_embedding",
                "warning",
                variable.name,
                "nearly all rows of the table are zero, as at the start",
                f"{len(norms) - len(used)} of {len(norms)} rows",
                "Are the ids of the rows those of the catalogue?",
            )


def saturated_logits(scored: Scored) -> Iterator[Finding]:
    """Probabilities of 0 or 1, for all that can be told."""
    for task, logits in scored.logits.items():
        yield from saturated(task, logits)


def equal_tasks(scored: Scored) -> Iterator[Finding]:
    """Two tasks that are answered alike."""
    found = {t: z for t, z in scored.logits.items() if np.ptp(z) > 0}
    names = list(found)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            alike = np.corrcoef(found[one], found[other])[0, 1]
            if alike > 0.9999:
                yield Finding(
                    "equal_tasks",
                    "warning",
                    f"{one}, {other}",
                    "two tasks have the same logits",
                    f"correlation {alike:.6f}",
                    "Are their labels the same column?",
                )


def calibration_off(scored: Scored, folder: str = "RUN") -> Iterator[Finding]:
    """Predicted clicks that are not as many as observed ones.

    Args:
      scored: rows of a run.
      folder: the run's, to be named.
    """
    rows = scored.rows
    mend = f"Calibrate: `tfadrec calibrate {folder}`."
    if scored.run.calibration is not None:
        mend = (
            "The run's calibration does not hold here: take it away, `tfadrec "
            f"calibrate {folder} --remove`"
        )
        if len(scored.run.test):
            mend += (
                f", or learn it here: `tfadrec calibrate {folder} --on test`"
            )
        mend += "."
    for task, logits in scored.calibrated.items():
        labels = rows.impressions.labels.get(task)
        if labels is None:
            continue
        ratio, low, high = probabilities.predicted_over_observed(
            labels,
            logits,
            rows.impressions.weights,
            groups=rows.impressions.people,
        )
        if abs(ratio - 1) > 0.1 and (low > 1 or high < 1):
            yield Finding(
                "calibration_off",
                "warning",
                task,
                "predicted and observed labels are not as many",
                f"ratio {ratio:.2f}, 95 % {low:.2f} to {high:.2f}",
                mend,
            )


def no_better_than_chance(scored: Scored) -> Iterator[Finding]:
    """An AUC that a coin reaches."""
    rows = scored.rows
    for task, logits in scored.logits.items():
        labels = rows.impressions.labels.get(task)
        if labels is None or labels.min() == labels.max():
            continue
        auc = ranking.auc(labels, logits, rows.impressions.weights)
        p, q = float((labels == 1).sum()), float((labels != 1).sum())
        bound = 0.5 + 2 * np.sqrt((p + q + 1) / (12 * p * q))
        if auc <= bound:
            yield Finding(
                "chance",
                "warning",
                task,
                "the order of ads cannot be told from chance",
                f"AUC {auc:.4f}, where chance reaches {bound:.4f}",
                "Look at the findings of the dataset; train for longer.",
            )


def _is_for_the_missing(name: str) -> bool:
    """Whether rows that have all values do not reach a weight."""
    return "missing" in name or "unknown" in name
