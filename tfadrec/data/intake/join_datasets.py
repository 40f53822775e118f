"""A dataset, and the rows that came after it, as one."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.features import counted
from tfadrec.data.features.value_counts import MOST_VALUES
from tfadrec.data.intake import limits
from tfadrec.data.intake.day_notes import note_day
from tfadrec.data.intake.feature_columns import keyed_columns
from tfadrec.data.intake.joined_log import join_log, like_table, stands_in
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.rate_columns import with_spilled_rates
from tfadrec.data.intake.request_rows import request_rows
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.user_rows import share_users
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.intake.write import workspace_of, write_spilled

#: What features of one name must have in common; the rest grows or stays.
_FIXED = (
    "kind",
    "column",
    "buckets",
    "bounds",
    "log1p",
    "of",
    "measure",
    "expression",
    "share",
    "ids",
    "days",
    "prior",
    "among",
)


def join_datasets(
    first: str | pathlib.Path,
    then: str | pathlib.Path,
    out: str | pathlib.Path,
) -> Summary:
    """Writes a dataset of all rows of two, with the first one's schema, grown.

    Vocabularies and event types keep their codes, and new values come after
    them, in the order of their texts, as far as there is room; means,
    deviations and ranges of numbers, the bounds of their buckets of equal
    counts, and the widths of lists, stay those of the first. So a ranker of the
    first fits the whole once its tables have more rows
    (`training.grow_vocabulary`).

    Rates and counts are those of the first, worked out over the rows of both:
    a day may be too short to show that its users repeat themselves.

    An ad or a user of both is as the second describes it. Impressions of the
    second that the first has already (same request, user, time and ad) are left
    out, and so are its events (same user, ad, type and time): a log that is
    exported whole every day may be joined as well. A click of what the first
    has without one has come later, and is kept. Negatives that are drawn differ
    every time: beside a click that the first has already, they are left out,
    too.

    Args:
      first: a dataset folder.
      then: a dataset folder with the same features and labels.
      out: the folder to write.

    Returns:
      The whole in numbers; its counts tell what the second gave, and its notes
      where that lies out of the first one's ranges, or far from its times.

    Raises:
      InputError: where features, labels or types of ids are not the same, or
        only one of the two has histories of its own.
    """
    one, two = DatasetFiles(first), DatasetFiles(then)
    schema = _grown(one, two, str(first), str(then))
    ledger = Ledger(is_piece=True)
    counts = [_counts(files.schema()) for files in (one, two)]
    for entity, name in sorted(set(counts[1]) - set(counts[0])):
        ledger.note(
            f"the {entity}'s {name!r} of {then} is left out, which counts what "
            f"{first} does not count"
        )
    for line in _without_room(schema, two.schema(), str(then)):
        ledger.note(line)
    has_lists = _have_histories(one, two, str(first), str(then))
    new, tables = {}, {}
    for name, key in {"ads": "ad_id", "users": "user_id"}.items():
        if name == "ads" or schema.of("user"):
            new[name], tables[name] = _described(name, key, one, two, schema)
    ads, users = tables["ads"], tables.get("users")
    shown = two.table("impressions").drop_columns(list(counts[1].values()))
    with workspace_of(out) as workspace:
        histories = None
        if has_lists:
            histories = _joined_histories(one, two, workspace)
            before = len(histories) - len(two.table("histories"))
            shown = _moved(shown, before)
        done = two.table("events")
        events = join_log("events", one, done, schema, workspace)
        left = list(counts[0].values())
        impressions = join_log(
            "impressions", one, shown, schema, workspace, left
        )
        new |= {"events": events.new, "impressions": impressions.new}
        read = {"events": len(done), "impressions": len(shown)}
        for name, rows in new.items():
            given, kept = read.get(name, len(rows)), len(rows)
            ledger.book(
                *(str(then), name),
                read=given,
                kept=kept,
                left_out=given - kept,
            )
        note_day(str(then), schema, new, impressions, ledger)
        return write_spilled(
            out,
            schema=schema,
            ads=ads,
            users=users,
            requests=request_rows(impressions.log, workspace),
            user_ids=share_users(
                [impressions.log, events.log], users, workspace
            ),
            impressions=with_spilled_rates(
                *(schema, impressions.log, events.log, ads, users, workspace)
            ),
            events=events.log,
            histories=histories,
            ledger=ledger,
            workspace=workspace,
        )


def check_grows(first: str | pathlib.Path, then: str | pathlib.Path) -> None:
    """Refuses datasets that cannot be joined, by their schemas and labels.

    Raises:
      InputError: as `join_datasets`.
    """
    _grown(DatasetFiles(first), DatasetFiles(then), str(first), str(then))


def _grown(
    one_files: DatasetFiles, two_files: DatasetFiles, first: str, then: str
) -> Schema:
    """The first schema, with what the second has besides in vocabularies."""
    one, two = one_files.schema(), two_files.schema()
    for what in ("labels", "user_id_type", "ad_id_type", "negatives_kept"):
        known, given = getattr(one, what), getattr(two, what)
        same = set(known) == set(given) if what == "labels" else known == given
        if not same:
            raise InputError(
                f"`{what}` must be as in {first}: {known!r}. Received: "
                f"{given!r} in {then}. Prepare it with the same settings."
            )
    given_types = two_files.label_types()
    for label, known in one_files.label_types().items():
        if given_types[label] != known:
            raise InputError(
                f"label {label} must be {known}, as in {first}. Received: "
                f"{given_types[label]} in {then}. Prepare it with the same "
                "settings."
            )
    others = {(f.entity, f.name): f for f in two.features}
    names = {(f.entity, f.name) for f in one.features}
    if missing := sorted(
        (names ^ set(others)) - {*_counts(one), *_counts(two)}
    ):
        entity, name = missing[0]
        where = then if missing[0] in names else first
        raise InputError(
            f"the features must be those of {first}. Received: the {entity}'s "
            f"{name!r}, which {where} does not have. Prepare both with the "
            "same features."
        )
    features = [
        _grown_feature(f, others[f.entity, f.name], first, then)
        if (f.entity, f.name) in others
        else f
        for f in one.features
    ]
    # What shares a vocabulary has its owner's.
    owners = {f.tensor: f for f in features}
    return dataclasses.replace(
        one,
        event_types=tuple(_after(one.event_types, two.event_types)),
        features=tuple(
            dataclasses.replace(f, vocabulary=owners[f.share].vocabulary)
            if f.share
            else f
            for f in features
        ),
    )


def _counts(schema: Schema) -> dict[tuple[str, str], str]:
    """(entity, name) -> column, of the features that rows are counted for."""
    return {(f.entity, f.name): f.column for f in counted(schema.features)}


def _grown_feature(
    one: Feature, two: Feature, first: str, then: str
) -> Feature:
    fixed = [*_FIXED, *(["width"] if one.kind == "vector" else [])]
    if one.kind == "number" and one.buckets:
        fixed.remove("bounds")  # made of the rows, and the first one's stay
    for what in fixed:
        if getattr(one, what) != getattr(two, what):
            raise InputError(
                f"the {one.entity}'s {one.name!r} must have the {what} "
                f"{getattr(one, what)!r}, as in {first}. Received: "
                f"{getattr(two, what)!r} in {then}. Prepare it with the same "
                "settings."
            )
    room = max(MOST_VALUES, len(one.vocabulary))
    values = itertools.islice(_after(one.vocabulary, two.vocabulary), room)
    return dataclasses.replace(one, vocabulary=tuple(values))


def _after(known: tuple[str, ...], more: tuple[str, ...]) -> Iterable[str]:
    """The known values, and after them those that are new."""
    return dict.fromkeys((*known, *more))


def _without_room(schema: Schema, two: Schema, then: str) -> Iterator[str]:
    """What is to be noted of vocabularies that are full.

    Args:
      schema: of both.
      two: of the rows that join.
      then: how to call these.
    """
    others = {(f.entity, f.name): f for f in two.features}
    for feature in schema.features:
        other = others.get((feature.entity, feature.name))
        if other is None or feature.share:  # the owner's is told of
            continue
        if len(feature.vocabulary) < MOST_VALUES:
            continue
        left = len({*other.vocabulary}.difference(feature.vocabulary))
        if left:
            yield (
                f"the {feature.entity}'s {feature.name!r} of {then}: its "
                f"vocabulary is full ({MOST_VALUES:,}), so {left:,} of the new "
                "values count as unknown; `buckets` hashes all values"
            )


def _have_histories(
    one: DatasetFiles, two: DatasetFiles, first: str, then: str
) -> bool:
    """Whether both datasets have histories of their own.

    Raises:
      InputError: where one of them has.
    """
    has_lists = [
        "history" in files.columns("impressions").names for files in (one, two)
    ]
    if has_lists[0] != has_lists[1]:
        raise InputError(
            "both datasets must have histories of their own, or neither. "
            f"Received: them in {first if has_lists[0] else then} alone. "
            "Prepare both alike."
        )
    return has_lists[0]


def _described(
    name: str, key: str, one: DatasetFiles, two: DatasetFiles, schema: Schema
) -> tuple[pa.Table, pa.Table]:
    """The second's ads or users, and those of both, each as the second has it.

    Features are called by their keys.
    """
    known, more = (
        keyed_columns(files.table(name), schema) for files in (one, two)
    )
    more = like_table(more, known.schema)
    old = known.filter(pa.array(~stands_in(known, more, [key])))
    return more, pa.concat_tables([old, more])


def _joined_histories(
    one: DatasetFiles, two: DatasetFiles, workspace: Workspace
) -> SpilledTable:
    """The histories of both, in their order."""
    found = SpilledTable(workspace)
    for batch in one.batches("histories", limits.BATCH_ROWS):
        found.append(batch)
    found.append(like_table(two.table("histories"), found.schema))
    return found


def _moved(impressions: pa.Table, by: int) -> pa.Table:
    """Impressions whose histories stand further down."""
    place = impressions.column_names.index("history")
    moved = pc.add(impressions["history"], by)
    return impressions.set_column(place, "history", moved)
