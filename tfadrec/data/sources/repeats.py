"""Whether users do the same again, and the counts that then are features."""

import dataclasses

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.intake.event_counts import repeated_events
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.sources.table_spec import TableConfig

_SETTING = "events.repeats"
#: Events that repeat an earlier one, from which on they are worth a feature:
#: their share of all, and their number, since fewer teach a model nothing.
_SHARE, _NUMBER = 0.1, 1000
#: Events from which on counts have to be asked for: a bundle may keep a number
#: of 12 bytes for each, and all are in memory at once while these are made.
_MOST = 10_000_000


def _count(name: str, *ids: str) -> FeatureSpec:
    settings = {"ids": ids, "among": "events"}
    return FeatureSpec(name, "candidate", "count", settings=settings)


#: How often the user did this before, and how much he did in all: once of two
#: tells more than once of a thousand.
_FEATURES = (
    _count("user_ad_events", "ad_id", "user_id"),
    _count("user_events", "user_id"),
)
_NAMES = tuple(spec.name for spec in _FEATURES)


def counts_events(spec: FeatureSpec) -> bool:
    """Whether a feature is a count among events."""
    return spec.settings.get("among") == "events"


def check_repeats(config: TableConfig) -> None:
    """Refuses counts among events where there is no log of these.

    Raises:
      InputError: where features, or `events.repeats`, ask for them.
    """
    reason = _why_not(config)
    if not reason:
        return
    asked = [spec.name for spec in config.features if counts_events(spec)]
    if config.events is not None and config.events.repeats:
        asked.append(_SETTING)
    if asked:
        raise InputError(
            "counts among events need events in the order of time. Received: "
            f"{', '.join(asked)}, where {reason}. Remove it."
        )


def _why_not(config: TableConfig) -> str:
    """Why there is no log of events to count; "" where there is one."""
    if config.events is None:
        return "there are no events"
    if "history" in config.impressions.columns:
        return "histories come along with impressions"
    for part in (config.events, config.impressions):
        if part.columns["timestamp"].constant is not None:
            return f"all rows of {part.file} have one time"
    return ""


def with_repeats(
    config: TableConfig, events: SpilledTable | None, ledger: Ledger
) -> TableConfig:
    """The settings, with counts among events where users repeat themselves.

    Args:
      config: by its `events.repeats` they are wanted, or not; where it says
        nothing they are where a tenth of the events, and a thousand of them,
        are of an ad that their user met in an earlier event, there are not
        too many of them, and no feature counts events already.
      events: ad_id, user_id, timestamp and event_type.
      ledger: is told.
    """
    if config.events is None or events is None or _why_not(config):
        return config
    wanted, why = config.events.repeats, "asked for"
    if wanted is None and not _is_free(config):
        return config
    if wanted is None:
        again, number = repeated_events(events)
        wanted = again >= max(_NUMBER, _SHARE * number)
        wanted &= len(events) <= _MOST
        why = f"{again:,} of {number:,} events repeat an earlier one"
    if not wanted:
        return config
    ledger.note(
        f"{' and '.join(_NAMES)} count the events before each impression "
        f"({why}); `{_SETTING}: false` leaves them out"
    )
    return _with_counts(config)


def with_repeats_like(config: TableConfig, kept: Schema) -> TableConfig:
    """The settings, with these counts where another dataset has them.

    Args:
      config: by its `events.repeats` they are wanted, or not; where it says
        nothing the other dataset decides.
      kept: its schema.
    """
    if config.events is None or _why_not(config):
        return config
    wanted = config.events.repeats
    if wanted is None:
        has = {f.name for f in kept.features if f.among == "events"}
        wanted = set(_NAMES) <= has and _is_free(config)
    return _with_counts(config) if wanted else config


def _is_free(config: TableConfig) -> bool:
    """Whether no feature counts events, or is called as those made here."""
    return not any(
        counts_events(spec) or spec.name in _NAMES for spec in config.features
    )


def _with_counts(config: TableConfig) -> TableConfig:
    shown = config.impressions
    features = (*shown.features, *_FEATURES)
    return dataclasses.replace(
        config, impressions=dataclasses.replace(shown, features=features)
    )
