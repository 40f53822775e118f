"""What the ads bring that a policy chooses, by what the log saw, in NumPy.

A policy chooses row i with the share c_i, as `metrics.top.chosen` tells it.
Only rows of the log can be chosen, since nobody knows what others would have
brought. What the log showed at the top was seen better than the rest, and no
metric here corrects that.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfadrec.core.errors import InputError


def per_choice(chosen: ArrayLike, amounts: ArrayLike) -> float:
    """The mean amount of the chosen rows, sum c x / sum c.

    With clicks it is the click-through rate, with conversions their rate, with
    money the revenue or cost of a choice.

    Args:
      chosen: [n], the shares c >= 0.
      amounts: [n], finite.

    Returns:
      The mean; nan where nothing is chosen.
    """
    shares, values = _aligned(chosen, amounts)
    return _over((shares * values).sum(), shares.sum())


def per_click(
    chosen: ArrayLike, clicked: ArrayLike, amounts: ArrayLike
) -> float:
    """The mean amount of the chosen clicks, sum c x / sum c y.

    With conversions it is the conversion rate (CVR), with costs the cost of a
    click.

    Args:
      chosen: [n], the shares c >= 0.
      clicked: [n], 0 or 1.
      amounts: [n], finite; of a row without a click it counts all the same.

    Returns:
      The mean; nan where no click is chosen.
    """
    shares, values = _aligned(chosen, amounts)
    _, clicks = _aligned(chosen, clicked)
    return _over((shares * values).sum(), (shares * clicks).sum())


def roi(chosen: ArrayLike, revenue: ArrayLike, cost: ArrayLike) -> float:
    """Return on investment, (revenue - cost) / cost of the chosen rows.

    Args:
      chosen: [n], the shares c >= 0.
      revenue: [n], what each row brought.
      cost: [n], what each row cost, in the same currency.

    Returns:
      A value >= -1 where nothing is below 0; nan where nothing was paid.
    """
    shares, brought = _aligned(chosen, revenue)
    _, paid = _aligned(chosen, cost)
    spent = (shares * paid).sum()
    return _over((shares * brought).sum() - spent, spent)


def quality(
    relevance: ArrayLike, attractiveness: ArrayLike, weight: float = 0.5
) -> NDArray[np.float64]:
    """Ad quality (AQM) of each row: relevance^a attractiveness^(1 - a).

    A weighted geometric mean: an ad that is irrelevant, or that nobody wants,
    has none, whatever else speaks for it.

    Args:
      relevance: [n] in [0, 1]: how well the ad fits the user, such as
        (1 + cosine of their texts) / 2.
      attractiveness: [n] in [0, 1]: how much the ad draws, such as
        p / (p + p0) with the predicted click rate p and the mean one p0, which
        is 1/2 for the average ad.
      weight: a in [0, 1], how much relevance counts.

    Returns:
      float64 [n] in [0, 1].

    Raises:
      InputError: where a value is out of its range.
    """
    if not 0 <= weight <= 1:
        raise InputError(
            f"`weight` must lie in [0, 1]. Received: weight={weight}."
        )
    parts = _aligned(relevance, attractiveness)
    for name, values in zip(
        ("relevance", "attractiveness"), parts, strict=True
    ):
        wrong = (values < 0) | (values > 1)
        if wrong.any():
            raise InputError(
                f"{name} must lie in [0, 1]. Received: {values[wrong][0]} in "
                f"{wrong.sum()} of {len(values)} rows. Scale it."
            )
    return parts[0] ** weight * parts[1] ** (1 - weight)


def _aligned(one: ArrayLike, other: ArrayLike) -> tuple[NDArray, NDArray]:
    first, second = (np.asarray(values, np.float64) for values in (one, other))
    if first.ndim != 1 or first.shape != second.shape:
        raise InputError(
            "a policy's rows must be one value each. Received: shapes "
            f"{first.shape} and {second.shape}."
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise InputError(
            "a policy's values must be finite. Received: nan or inf. Remove "
            "those rows."
        )
    return first, second


def _over(above: float, below: float) -> float:
    return float(above / below) if below else float("nan")
