"""Whether users do the same again, and the counts that then are features."""

import dataclasses

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.intake.event_counts import repeated_rows
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.sources.table_spec import TableConfig

#: Rows that repeat an earlier one, from which on they are worth a feature:
#: their share of all, and their number, since fewer teach a model nothing.
_SHARE, _NUMBER = 0.1, 1000
#: Rows from which on counts have to be asked for: a bundle may keep a number
#: of 12 bytes for each, and all are in memory at once while these are made.
_MOST = 10_000_000
_PAIR = ("ad_id", "user_id")


def _count(name: str, among: str, *ids: str) -> FeatureSpec:
    settings = {"ids": ids, "among": among}
    return FeatureSpec(name, "candidate", "count", settings=settings)


#: By the section whose rows they count. How often the user did this before,
#: and how much he did in all: once of two tells more than once of a thousand.
#: How often the ad was shown to him, which may tire him or remind him.
_FEATURES = {
    "events": (
        _count("user_ad_events", "events", *_PAIR),
        _count("user_events", "events", "user_id"),
    ),
    "impressions": (_count("user_ad_shown", "impressions", *_PAIR),),
}


def counts_events(spec: FeatureSpec) -> bool:
    """Whether a feature is a count among events."""
    return spec.settings.get("among") == "events"


def check_repeats(config: TableConfig) -> None:
    """Refuses counts of what repeats itself where the log does not tell it.

    Raises:
      InputError: where `repeats` of a section asks for them, or features for
        counts among events.
    """
    asked = [spec.name for spec in config.features if counts_events(spec)]
    for where, names in (("events", asked), ("impressions", [])):
        section, reason = getattr(config, where), _why_not(config, where)
        if section is not None and section.repeats:
            names = [*names, f"{where}.repeats"]
        if names and reason:
            raise InputError(
                f"counts among {where} need {where} in the order of time. "
                f"Received: {', '.join(names)}, where {reason}. Remove it."
            )


def _why_not(config: TableConfig, where: str) -> str:
    """Why a section has no log to count; "" where it has one."""
    parts = [config.impressions]
    if where == "events":
        if config.events is None:
            return "there are no events"
        if "history" in config.impressions.columns:
            return "histories come along with impressions"
        parts.insert(0, config.events)
    elif config.sampling is not None:
        return "ads without a click are sampled"
    elif config.impressions.counts:
        return "impressions are counted"
    for part in parts:
        if part.columns["timestamp"].constant is not None:
            return f"all rows of {part.file} have one time"
    return ""


def with_repeats(
    config: TableConfig,
    where: str,
    log: SpilledTable,
    ledger: Ledger,
) -> TableConfig:
    """The settings, with counts among rows that repeat themselves.

    Args:
      config: by `repeats` of the section they are wanted, or not; where it
        says nothing they are where a tenth of the rows, and a thousand of
        them, are of an ad that their user met in an earlier row, there are not
        too many of them, all were kept, and no feature counts these already.
      where: the section, `events` or `impressions`.
      log: its rows: ad_id, user_id and timestamp, and of events event_type.
      ledger: is told.
    """
    if _why_not(config, where):
        return config
    wanted, why = getattr(config, where).repeats, "asked for"
    if wanted is None:
        if not _is_free(config, where):
            return config
        again, number = repeated_rows(log)
        wanted = again >= max(_NUMBER, _SHARE * number)
        wanted &= len(log) <= _MOST
        why = f"{again:,} of {number:,} {where} repeat an earlier one"
    if not wanted:
        return config
    names = [spec.name for spec in _FEATURES[where]]
    ledger.note(
        f"{' and '.join(names)}: how many {where} came before each impression "
        f"({why}); `{where}.repeats: false` leaves this out"
    )
    return _with_counts(config, where)


def with_repeats_like(config: TableConfig, kept: Schema) -> TableConfig:
    """The settings, with these counts where another dataset has them.

    Args:
      config: by `repeats` of its sections they are wanted, or not; where one
        says nothing the other dataset decides.
      kept: its schema.
    """
    for where, made in _FEATURES.items():
        if _why_not(config, where):
            continue
        wanted = getattr(config, where).repeats
        if wanted is None:
            has = {f.name for f in kept.features if f.among == where}
            wanted = {spec.name for spec in made} <= has
            wanted &= _is_free(config, where)
        if wanted:
            config = _with_counts(config, where)
    return config


def _is_free(config: TableConfig, where: str) -> bool:
    """Whether no feature counts alike, or is called as those made here."""
    if where == "impressions" and config.negatives_kept < 1:
        return False
    names = {spec.name for spec in _FEATURES[where]}
    alike = counts_events if where == "events" else _counts_shown
    return not any(
        spec.name in names or alike(spec) for spec in config.features
    )


def _counts_shown(spec: FeatureSpec) -> bool:
    """Whether a rate or count is of what users were shown of an ad."""
    is_of_pair = set(spec.settings.get("ids", ())) == set(_PAIR)
    return is_of_pair and not counts_events(spec)


def _with_counts(config: TableConfig, where: str) -> TableConfig:
    shown = config.impressions
    features = (*shown.features, *_FEATURES[where])
    return dataclasses.replace(
        config, impressions=dataclasses.replace(shown, features=features)
    )
