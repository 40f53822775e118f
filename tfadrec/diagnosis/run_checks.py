"""What a trained ranker does not do and should."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.door import tf
from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis.finding import Finding
from tfadrec.metrics import probabilities, ranking
from tfadrec.training import Run

_BATCH, _BATCHES = 512, 4
#: A logit this far from 0 is one in ten million.
_FAR = 16.0
#: Of rows, for what is measured twice.
_ROWS = 8192


def weights_that_do_not_train(run: Run) -> Iterator[Finding]:
    """Weights whose gradient is zero on rows that the ranker learned from."""
    ranker = run.ranker
    largest = np.zeros(len(ranker.trainable_variables))
    for batch in run.train.batches(_BATCH, seed=0).take(_BATCHES):
        with tf.GradientTape() as tape:
            loss = ranker.compute_loss(batch, training=False)
        gradients = tape.gradient(loss, ranker.trainable_variables)
        for place, gradient in enumerate(gradients):
            if gradient is not None:
                values = getattr(gradient, "values", gradient)
                size = float(tf.reduce_max(tf.abs(values)))
                largest[place] = max(largest[place], size)
    ranker.reset_metrics()
    still = [
        variable.name
        for variable, size in zip(
            ranker.trainable_variables, largest, strict=True
        )
        if size == 0 and not _is_for_the_missing(variable.name)
    ]
    if not still:
        return
    much = (
        f"{len(still)} of {len(largest)} weights, "
        f"{', '.join(still[:5])}{' …' if len(still) > 5 else ''}"
    )
    if not np.any(run.train.impressions.history_lengths):
        yield Finding(
            "no_history",
            "note",
            still[0],
            "weights do not train, and no row has a history that they could "
            "read",
            much,
            "Name `events` where the log tells what users did before.",
        )
        return
    yield Finding(
        "weights_do_not_train",
        "warning",
        still[0],
        "the loss does not depend on weights that should be trained",
        much,
        "Is the piece wired up, and are its inputs not all zero?",
    )


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


def saturated_logits(run: Run) -> Iterator[Finding]:
    """Probabilities of 0 or 1, for all that can be told."""
    for task, logits in _predictions(run).items():
        far = ~(np.abs(logits) < _FAR)
        if far.mean() > 0.01:
            yield Finding(
                "saturated_logits",
                "warning",
                task,
                f"logits lie beyond {_FAR:.0f}",
                f"{100 * far.mean():.0f} % of the rows",
                "Give large numbers `log1p` or a range, or lower the learning "
                "rate.",
            )


def equal_tasks(run: Run) -> Iterator[Finding]:
    """Two tasks that are answered alike."""
    found = {t: z for t, z in _predictions(run).items() if np.ptp(z) > 0}
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


def calibration_off(run: Run) -> Iterator[Finding]:
    """Predicted clicks that are not as many as observed ones."""
    rows = _some(run)
    for task, logits in _predictions(run, calibrated=True).items():
        labels = rows.impressions.labels.get(task)
        if labels is None:
            continue
        ratio, low, high = probabilities.predicted_over_observed(
            labels,
            logits,
            rows.impressions.weights,
            groups=rows.impressions.users,
        )
        if abs(ratio - 1) > 0.1 and not low <= 1 <= high:
            yield Finding(
                "calibration_off",
                "warning",
                task,
                "predicted and observed labels are not as many",
                f"ratio {ratio:.2f}, 95 % {low:.2f} to {high:.2f}",
                "Calibrate: `tfadrec calibrate RUN`.",
            )


def ignored_inputs(run: Run) -> Iterator[Finding]:
    """History, context and users that might as well be anybody's.

    Their inputs are dealt to other rows. Where no logit moves, the ranker does
    not read them.
    """
    rows = _some(run)
    inputs, *_ = next(iter(rows.batches(len(rows))))
    schema = rows.schema
    groups = {
        "history": [n for n in inputs if n.startswith("history_")],
        "user id": ["user_id"],
        **{
            entity: [
                tensor
                for feature in schema.of(entity)  # type: ignore[arg-type]
                for tensor in feature.tensors
                if tensor in inputs
            ]
            for entity in ("user", "context", "candidate")
        },
    }
    before = run.ranker(inputs)
    for name, tensors in groups.items():
        dealt = {t: tf.roll(inputs[t], 1, 0) for t in tensors}
        if not dealt or all(
            bool(tf.reduce_all(inputs[t] == dealt[t])) for t in dealt
        ):
            continue
        after = run.ranker({**inputs, **dealt})
        moved = max(
            float(tf.reduce_max(tf.abs(after[task] - before[task])))
            for task in before
        )
        if moved < 1e-4:
            yield Finding(
                "ignored_input",
                "warning",
                name,
                "logits stay as they are with those of another row",
                f"{moved:.1g} at most, over {len(rows)} rows",
                "Is it wired up, and has it been trained for long enough?",
            )


def no_better_than_chance(run: Run) -> Iterator[Finding]:
    """An AUC that a coin reaches."""
    rows = _some(run)
    for task, logits in _predictions(run).items():
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


def _some(run: Run) -> Dataset:
    """Rows that the ranker has not seen, of test or else of validation."""
    rows = run.test if len(run.test) else run.valid
    places = np.linspace(0, len(rows) - 1, min(len(rows), _ROWS))
    return rows.select(places.astype(np.int64))


def _predictions(
    run: Run, calibrated: bool = False
) -> Mapping[str, NDArray[np.float32]]:
    """Logits of the binary tasks."""
    rows = _some(run)
    found = run.ranker.predict(rows.batches(4096))
    if calibrated and run.calibration is not None:
        found = run.calibration.of_rows(found, rows)
    losses = run.ranker.task_losses
    return {
        task: z
        for task, z in found.items()
        if task not in losses or losses[task].is_binary
    }
