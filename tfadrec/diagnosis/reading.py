"""What a ranker reads and should not, and does not read and should."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis.finding import Finding
from tfadrec.diagnosis.scored import Scored
from tfadrec.explanation.deals import Deal, deals
from tfadrec.explanation.question import Question
from tfadrec.explanation.tensors import event_inputs

#: Rows that are dealt to one another; each ad of their histories is read.
_ROWS = 256
#: A logit that moves less has not moved.
_STILL = 1e-4
#: What is dealt together.
_TOGETHER = ("user", "context", "candidate")


def ignored_inputs(scored: Scored) -> Iterator[Finding]:
    """History, text, context and users that might as well be anybody's.

    Their values are dealt to other rows. Where no logit moves, the ranker does
    not read them. Rows without a history cannot tell of it, nor rows of users
    of whom nothing was learned of their ids.
    """
    rows = scored.rows.select(np.arange(min(_ROWS, len(scored.rows))))
    untold = _untold(scored, rows)
    inputs, *_ = next(iter(rows.batches(len(rows))))
    order = np.roll(np.arange(len(rows)), 1)
    moved: dict[str, float] = {}
    for ranker in scored.members:
        asked = Question.of_inputs(ranker, inputs)
        before = asked.score(ranker)
        for name, together in _groups(deals(ranker, rows)).items():
            dealt = asked
            for deal in together:
                dealt = deal(dealt, order)
            if name in untold or _is_like(asked, dealt):
                continue
            after = dealt.score(ranker)
            found = max(
                float(tf.reduce_max(tf.abs(after[task] - before[task])))
                for task in before
            )
            moved[name] = max(found, moved.get(name, 0.0))
    for name, most in moved.items():
        if most < _STILL:
            yield Finding(
                "ignored_input",
                "warning",
                name,
                "logits stay as they are with those of another row",
                f"{most:.1g} at most, over {len(rows)} rows",
                "Is it wired up, and has it been trained for long enough?",
            )


def read_padding(scored: Scored) -> Iterator[Finding]:
    """Masks that let what stands behind a history have a say.

    Events of other rows are put there. A logit that moves has read them.
    """
    lengths = scored.rows.impressions.history_lengths
    some = np.flatnonzero(lengths < scored.rows.history_length)[:_ROWS]
    if not len(some) or not lengths.any():
        return
    rows = scored.rows.select(some)
    inputs, *_ = next(iter(rows.batches(len(rows))))
    time = int(inputs["history_ads"].shape[1])
    if not time:
        return
    is_padding = np.arange(time) >= inputs["history_length"].numpy()[:, None]
    of_events = set().union(*map(event_inputs, scored.members))
    filled = {
        name: _filled(values, is_padding) if name in of_events else values
        for name, values in inputs.items()
    }
    before, after = (scored.ranker(x) for x in (inputs, filled))
    moved = max(
        float(tf.reduce_max(tf.abs(after[task] - before[task])))
        for task in before
    )
    if moved > _STILL:
        yield Finding(
            "padding_read",
            "error",
            "history",
            "logits move with what stands behind the last event",
            f"{moved:.2g} at most, over {len(rows)} rows",
            "Mend the mask of the behaviour encoder: True is real.",
        )


def _groups(found: Mapping[str, Deal]) -> dict[str, list[Deal]]:
    """What is told of together: a score may well not need one feature."""
    alone = ("history", "user id", "ad text")
    groups = {name: [found[name]] for name in alone if name in found}
    for entity in _TOGETHER:
        own = [d for name, d in found.items() if name.startswith(f"{entity}.")]
        groups |= {entity: own} if own else {}
    return groups


def _untold(scored: Scored, rows: Dataset) -> set[str]:
    """What these rows cannot tell of."""
    users = rows.impressions.users
    learned = scored.run.learned.impressions.users
    told = {
        "history": rows.impressions.history_lengths.any(),
        "user id": np.isin(users[users > 0], learned).any(),
    }
    return {name for name, is_told in told.items() if not is_told}


def _is_like(one: Question, other: Question) -> bool:
    return all(
        bool(tf.reduce_all(values == there[name]))
        for own, there in (
            (one.inputs, other.inputs),
            (one.history, other.history),
            (one.ads, other.ads),
        )
        for name, values in own.items()
    )


def _filled(values: Any, is_padding: np.ndarray) -> Any:
    """Other rows' first events in the places of padding."""
    values = values.numpy()
    first = np.roll(values[:, :1], 1, axis=0)
    mask = is_padding.reshape(*is_padding.shape, *[1] * (values.ndim - 2))
    return tf.constant(np.where(mask, first, values))
