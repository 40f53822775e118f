"""Any log of text, JSON Lines or Parquet, with a column mapping in YAML."""

import dataclasses
import pathlib
from collections.abc import Iterator

import pyarrow as pa

from tfadrec.core.schema import Schema
from tfadrec.data.columns import Column, as_array, chunks_of
from tfadrec.data.intake.feature_columns import describe_features
from tfadrec.data.intake.keep_schema import KeepSchema
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.rate_columns import with_spilled_rates
from tfadrec.data.intake.request_rows import request_rows
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.user_rows import share_users
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.intake.write import check_out, workspace_of, write_spilled
from tfadrec.data.sources.log_job import Reading, read_here
from tfadrec.data.sources.popularity_check import popularity_notes
from tfadrec.data.sources.repeats import with_repeats, with_repeats_like
from tfadrec.data.sources.sampling import with_negatives
from tfadrec.data.sources.skipped import add_skipped
from tfadrec.data.sources.table_config import read_config
from tfadrec.data.sources.table_entities import (
    ads_job,
    one_row_each,
    users_job,
)
from tfadrec.data.sources.table_events import events_job, read_events
from tfadrec.data.sources.table_histories import note_no_histories
from tfadrec.data.sources.table_impressions import (
    impressions_job,
    read_impressions,
)
from tfadrec.data.sources.table_spec import TableConfig


def prepare_table(
    config: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    like: str | pathlib.Path | None = None,
    log: str | pathlib.Path | None = None,
    read: Reading = read_here,
) -> Summary:
    """Writes files that a YAML file describes as a dataset.

    Args:
      config: the YAML file; docs/data.md lists its keys.
      out: the folder to write.
      like: a dataset whose vocabularies, statistics, names of tensors, event
        types and types of ids are kept, so that the new rows fit models that
        were trained on it.
      log: a local file to read in place of that of the impressions, and of all
        else that stands in the same file. It is a piece of a log that joins
        others, so nothing is noted that holds of a log as a whole.
      read: reads and checks the logs.

    Raises:
      InputError: where a file cannot be used, `out` is something else, or the
        features or labels are not those of `like`.
    """
    out = check_out(out)
    settings = read_config(config)
    if log is not None:
        settings = _with_log(settings, log)
    ledger = Ledger(is_piece=log is not None)
    keep = None
    if like is not None:
        keep = KeepSchema.of(like)
        settings = with_repeats_like(settings, keep.schema)
        keep.require_same(settings.features)
        keep.require_labels(settings.label_types)
        for text in keep.other_rows(
            weight=settings.has_weights,
            split="split" in settings.impressions.columns,
            negatives_kept=settings.negatives_kept,
        ):
            ledger.note(text)
        settings = dataclasses.replace(
            settings,
            user_id_type=keep.schema.user_id_type,
            ad_id_type=keep.schema.ad_id_type,
        )
    with workspace_of(out) as workspace:
        return _prepare(out, settings, keep, read, ledger, workspace)


def _prepare(
    out: pathlib.Path,
    settings: TableConfig,
    keep: KeepSchema | None,
    read: Reading,
    ledger: Ledger,
    workspace: Workspace,
) -> Summary:
    """Reads and checks all files, then encodes and writes what is kept."""
    ads, users = _entities(settings, read, ledger, workspace)
    # Logs are coded by this very array, so that no part of them is looked up.
    catalogue = as_array(ads["ad_id"])
    ads = ads.set_column(ads.column_names.index("ad_id"), "ad_id", catalogue)
    workspace.share(catalogue)
    jobs = [impressions_job(settings, catalogue)]
    if settings.events is not None:
        jobs.append(events_job(settings.events, settings, catalogue))
    shown, *rest = read(jobs, workspace)
    events = None
    if settings.events is not None:
        events = read_events(settings.events, rest[0], ledger, workspace)
    impressions, histories = read_impressions(
        settings, shown, ledger, workspace
    )
    if keep is None:
        logs = {"events": events, "impressions": impressions}
        for where, log in logs.items():
            if log is not None:
                settings = with_repeats(settings, where, log, ledger)
    has_features = any(spec.entity == "user" for spec in settings.features)
    people = users if has_features else None
    done = [] if events is None else [events]
    if settings.sampling is not None:
        impressions = with_negatives(
            impressions,
            catalogue,
            ledger=ledger,
            workspace=workspace,
            **settings.sampling,
        )
    # A purchase that is folded may have been all that a user did.
    user_ids = share_users([impressions, *done], people, workspace)
    for note in popularity_notes(
        impressions, sampled=settings.sampling is not None
    ):
        ledger.note_whole(note)
    requests = request_rows(impressions, workspace)
    if events is not None:
        add_skipped(
            settings,
            events,
            impressions,
            requests,
            ledger,
            workspace,
            known=keep is None or bool(keep.schema.skipped),
        )
    note_no_histories(impressions, events, histories, ledger)
    tables = [t for t in (ads, users, events, impressions) if t is not None]
    types = _event_types(events, histories)
    if keep is None:
        features = describe_features(settings.features, tables)
        event_types = _distinct(types)
        labels = settings.labels
    else:
        features = keep.features(tables, ledger)
        event_types = keep.event_types(types, ledger)
        labels = keep.schema.labels
    schema = Schema(
        source=settings.name,
        user_id_type=settings.user_id_type,
        ad_id_type=settings.ad_id_type,
        event_types=event_types,
        labels=labels,
        features=features,
        negatives_kept=settings.negatives_kept,
    )
    return write_spilled(
        out,
        schema=schema,
        ads=ads,
        users=users,
        events=events,
        impressions=with_spilled_rates(
            schema, impressions, events, ads, users, workspace
        ),
        requests=requests,
        user_ids=user_ids,
        histories=histories,
        ledger=ledger,
        workspace=workspace,
    )


def _entities(
    settings: TableConfig, read: Reading, ledger: Ledger, workspace: Workspace
) -> tuple[pa.Table, pa.Table | None]:
    """The tables of ads and, where there is one, of users."""
    jobs = [ads_job(settings)]
    if settings.users is not None:
        jobs.append(users_job(settings.users, settings))
    described, *people = read(jobs, workspace)
    ads = one_row_each(settings.ads, "ad", described, ledger, workspace)
    if settings.users is None:
        return ads, None
    users = one_row_each(settings.users, "user", people[0], ledger, workspace)
    return ads, users


def _with_log(settings: TableConfig, log: str | pathlib.Path) -> TableConfig:
    """The settings for another file of impressions, of the same columns.

    What is read off the same file, ads too, is read off the other one. It is a
    piece of a log, in which nothing may have been clicked.
    """
    file = settings.impressions.place
    return dataclasses.replace(
        settings,
        **{
            name: dataclasses.replace(
                spec,
                file=str(log),
                path=str(pathlib.Path(log).absolute()),
                needed=name != "events",
            )
            for name in ("ads", "users", "events", "impressions")
            if (spec := getattr(settings, name)) and spec.place == file
        },
    )


class _Entries:
    """The entries of a column of lists, as a column."""

    def __init__(self, lists: Column) -> None:
        self._lists = lists
        self.type = lists.type.value_type

    def iterchunks(self) -> Iterator[pa.Array]:
        """Its values."""
        return (lists.flatten() for lists in chunks_of(self._lists))


def _event_types(
    events: SpilledTable | None, histories: SpilledTable | None
) -> list[Column]:
    """The types of all events, where something tells them."""
    found: list[Column] = [] if events is None else [events["event_type"]]
    if histories is not None and "types" in histories.column_names:
        found.append(_Entries(histories["types"]))
    return found


def _distinct(types: list[Column]) -> tuple[str, ...]:
    """What events can be; where nothing says so, they are clicks."""
    found = {
        name
        for column in types
        for chunk in chunks_of(column)
        for name in chunk.unique().to_pylist()
    }
    return tuple(sorted(found)) or ("click",)
