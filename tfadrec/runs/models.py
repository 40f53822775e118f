"""Which runs are seeds of one model."""

import json
from collections.abc import Mapping

from tfadrec.core.config import RunConfig
from tfadrec.runs.record import FITTED


def models_of(records: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Runs put together that differ in the seed alone.

    A run of `training.fit` does not know all of its settings and stands for
    itself. So does each of them where all are of one model: what else should
    they be compared with?

    Args:
      records: run -> its record.

    Returns:
      The first run of each model -> the runs of it, in the order given.
    """
    groups: dict[str, list[str]] = {}
    for run, record in records.items():
        groups.setdefault(_model(run, record), []).append(run)
    if len(groups) == 1:
        return {run: [run] for run in records}
    return {runs[0]: runs for runs in groups.values()}


def _model(run: str, record: Mapping[str, str]) -> str:
    """What two runs of one model share."""
    if FITTED in record:
        return run
    sections = RunConfig.from_yaml(record["config"]).sections()
    fit = {k: v for k, v in sections["fit"].items() if k != "seed"}
    return json.dumps({**sections, "fit": fit}, sort_keys=True, default=str)
