"""What a replay found, in sums and as a table."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.evaluation.table import align

_WAYS = ("frozen", "updated", "retrained")
_MEASURES = ("auc", "log_loss", "calibration")
_COSTS = ("examples", "seconds")


def replay_sums(stretches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A replay in a few numbers.

    The first stretch meets the same ranker every way, so it has no part. A
    measure that the rows of a stretch do not tell, such as the AUC of a day
    without a click, has none of that stretch in its mean.

    Args:
      stretches: as `training.replay` gives them.

    Returns:
      way -> means of `auc`, `log_loss` and `calibration` over the rows of the
      later stretches, and sums of `examples` and `seconds` (nan where a step's
      time is not known); `gain_kept`, the share of retraining's gain in AUC
      over the frozen ranker that updating has, and `log_loss_kept`, the same of
      the log loss; `cost`, the examples that updating learned, over those that
      retraining did, and `cost_seconds`, the same of the processor's time;
      `later`, how many stretches come after the
      first, and `told`, how many of these tell an AUC. Nan where none does.
    """
    later = stretches[1:]
    rows = [stretch["rows"] for stretch in later]
    sums: dict[str, Any] = {}
    for way in _WAYS:
        of_way = [stretch[way] for stretch in later]
        sums[way] = {
            name: _mean([x[name] for x in of_way], rows) for name in _MEASURES
        }
        for name in _COSTS:
            values = [x[name] for x in of_way]
            sums[way][name] = np.nan if None in values else sum(values)
    for name, of in (("gain_kept", "auc"), ("log_loss_kept", "log_loss")):
        frozen, updated, retrained = (sums[way][of] for way in _WAYS)
        sums[name] = _ratio(updated - frozen, retrained - frozen)
    for name, of in (("cost", "examples"), ("cost_seconds", "seconds")):
        sums[name] = _ratio(sums["updated"][of], sums["retrained"][of])
    sums["later"] = len(later)
    sums["told"] = sum(not np.isnan(x["frozen"]["auc"]) for x in later)
    return sums


def replay_table(stretches: Sequence[Mapping[str, Any]]) -> str:
    """A replay's stretches as a text table, AUC, log loss and calibration."""
    header = ["from", "rows", *(f"{m} {w}" for m in _MEASURES for w in _WAYS)]
    rows = [
        [
            datetime.datetime.fromtimestamp(
                stretch["since"], datetime.timezone.utc
            ).strftime("%Y-%m-%d"),
            f"{stretch['rows']:,}",
            *(f"{stretch[w][m]:.4f}" for m in _MEASURES for w in _WAYS),
        ]
        for stretch in stretches
    ]
    return align([header, *rows])


def replay_line(sums: Mapping[str, Any]) -> str:
    """What updating is worth, in one line."""
    cost = f"{sums['cost']:.1%} of its examples"
    if not np.isnan(sums["cost_seconds"]):
        cost += f" and {sums['cost_seconds']:.1%} of its processor time"
    if not sums["later"]:
        return (
            "One stretch tells nothing: it meets the same ranker every way. "
            "Replay shorter days, or begin with a smaller part."
        )
    if not sums["told"]:
        return (
            "No stretch after the first has rows with and without a click, so "
            f"no AUC tells what updating is worth. It took {cost}."
        )
    told = {way: sums[way]["auc"] for way in _WAYS}
    means = ", ".join(f"{way} {auc:.4f}" for way, auc in told.items())
    if told["retrained"] > told["frozen"]:
        kept = f"{sums['gain_kept']:.1%} of retraining's gain"
        if sums["retrained"]["log_loss"] < sums["frozen"]["log_loss"]:
            kept += f", and {sums['log_loss_kept']:.1%} of that in log loss,"
        gain = f"updating keeps {kept} for {cost}."
    else:
        gain = (
            "retraining is not ahead of the frozen ranker. Updating took "
            f"{cost}."
        )
    after = "After the first stretch"
    if sums["told"] < sums["later"]:
        after += f", in {sums['told']} of {sums['later']} that tell an AUC"
    return f"{after}, AUC {means}: {gain}"


def _mean(values: Sequence[float], rows: Sequence[int]) -> float:
    """The mean by rows of what is told."""
    told = ~np.isnan(values)
    if not told.any():
        return float("nan")
    return float(
        np.average(np.array(values)[told], weights=np.array(rows)[told])
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
