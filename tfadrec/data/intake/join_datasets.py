"""A dataset, and the rows that came after it, as one."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.columns import as_array
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.features import counted
from tfadrec.data.intake.day_notes import note_day
from tfadrec.data.intake.feature_columns import keyed_columns
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.rate_columns import with_rates
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.write import write_dataset

#: Which rows are the same row, in both datasets.
_KEYS = {
    "ads": ("ad_id",),
    "users": ("user_id",),
    "events": ("user_id", "ad_id", "event_type", "timestamp"),
    "impressions": ("request_id", "user_id", "timestamp", "ad_id"),
}
#: The column that tells which day brought an impression.
_DAY = "joined"
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
    them; means, deviations and ranges of numbers, the bounds of their buckets
    of equal counts, and the widths of lists, stay those of the first. So a
    ranker of the first fits the whole once its tables have more rows
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
    names = ["ads", "events", "impressions"]
    if schema.of("user"):
        names.append("users")
    tables = {name: [one.table(name), two.table(name)] for name in names}
    tables["impressions"] = [
        table.drop_columns(list(columns.values()))
        for table, columns in zip(tables["impressions"], counts, strict=True)
    ]
    lists = ["history" in t.column_names for t in tables["impressions"]]
    if lists[0] != lists[1]:
        raise InputError(
            "both datasets must have histories of their own, or neither. "
            f"Received: them in {first if lists[0] else then} alone. Prepare "
            "both alike."
        )
    histories = None
    if lists[0]:
        parts = [one.table("histories"), two.table("histories")]
        histories = _stacked(parts)
        tables["impressions"][1] = _moved(
            tables["impressions"][1], len(parts[0])
        )
    tables["impressions"] = _numbered(*tables["impressions"])
    joined = {
        name: _joined(name, tables[name], str(then), ledger) for name in names
    }
    new = {count.unit: count.kept for count in ledger.counts}
    joined = {n: keyed_columns(table, schema) for n, table in joined.items()}
    note_day(
        str(then),
        schema,
        {n: table.slice(len(table) - new[n]) for n, table in joined.items()},
        as_array(tables["impressions"][0]["timestamp"]).to_numpy(),
        ledger,
    )
    joined["impressions"] = with_rates(schema, **joined)
    return write_dataset(
        out, schema=schema, histories=histories, ledger=ledger, **joined
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
        event_types=_after(one.event_types, two.event_types),
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
    return dataclasses.replace(
        one, vocabulary=_after(one.vocabulary, two.vocabulary)
    )


def _after(known: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """The known values, and after them those that are new."""
    return tuple(dict.fromkeys((*known, *more)))


def _joined(
    name: str, tables: Sequence[pa.Table], source: str, ledger: Ledger
) -> pa.Table:
    """The rows of both tables, each once."""
    one, two = tables
    keys = _KEYS[name]
    replaces = name in ("ads", "users")
    if replaces:
        parts = [one.filter(pa.array(~_stands_in(one, two, keys))), two]
        left_out = 0
    else:
        find = _known if name == "impressions" else _stands_in
        repeated = find(two, one, keys)
        parts = [one, two.filter(pa.array(~repeated))]
        left_out = int(repeated.sum())
    ledger.book(
        source,
        name,
        read=len(two),
        kept=len(two) - left_out,
        left_out=left_out,
    )
    return _stacked(parts)


def _known(
    rows: pa.Table, others: pa.Table, keys: tuple[str, ...]
) -> np.ndarray:
    """Which impressions are there already, bool [n].

    A click is not, where the other one is a negative: one that was drawn, or
    whose click has come later.
    """
    clicked, other_clicked = (
        table["clicked"].to_numpy() > 0 for table in (rows, others)
    )
    clicks = others.filter(pa.array(other_clicked))
    known = np.where(
        clicked, _stands_in(rows, clicks, keys), _stands_in(rows, others, keys)
    )
    again = rows.filter(pa.array(known & clicked))
    request = tuple(key for key in keys if key != "ad_id")
    return known | (~clicked & _stands_in(rows, again, request))


def _stands_in(
    rows: pa.Table, others: pa.Table, keys: tuple[str, ...]
) -> np.ndarray:
    """Which rows have the keys of one of the others, bool [n]."""
    if "timestamp" in keys:  # mostly none of them is as new
        others = others.filter(
            pc.and_(
                pc.greater_equal(
                    others["timestamp"], pc.min(rows["timestamp"])
                ),
                pc.less_equal(others["timestamp"], pc.max(rows["timestamp"])),
            )
        )
    if not len(rows) or not len(others):
        return np.zeros(len(rows), bool)
    codes = [
        _codes(rows[key].combine_chunks(), others[key].combine_chunks())
        for key in keys
    ]
    mine, theirs = (np.stack(part, axis=1) for part in zip(*codes, strict=True))
    _, places = np.unique(
        np.concatenate([theirs, mine]), axis=0, return_inverse=True
    )
    places = places.reshape(-1)
    known = np.zeros(places.max(initial=-1) + 1, bool)
    known[places[: len(theirs)]] = True
    return known[places[len(theirs) :]]


def _codes(one: pa.Array, two: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Numbers for the values of two columns, equal where they are equal."""
    both = pa.chunked_array([one, two.cast(one.type)]).combine_chunks()
    codes = pc.fill_null(both.dictionary_encode().indices, -1).to_numpy()
    return codes[: len(one)], codes[len(one) :]


def _numbered(one: pa.Table, two: pa.Table) -> list[pa.Table]:
    """Impressions with the day that brought them, the second's the newest."""
    if _DAY not in one.column_names:
        one = one.append_column(_DAY, pa.array(np.zeros(len(one), np.int32)))
    if _DAY in two.column_names:
        two = two.drop_columns(_DAY)
    newest = one[_DAY].to_numpy().max(initial=0)
    days = np.full(len(two), newest + 1, np.int32)
    return [one, two.append_column(_DAY, pa.array(days))]


def _moved(impressions: pa.Table, by: int) -> pa.Table:
    """Impressions whose histories stand further down."""
    place = impressions.column_names.index("history")
    moved = pc.add(impressions["history"], by)
    return impressions.set_column(place, "history", moved)


def _stacked(parts: list[pa.Table]) -> pa.Table:
    """One table under the other, columns in the order of the first."""
    one, two = parts
    missing = [c for c in one.column_names if c not in two.column_names]
    more = [c for c in two.column_names if c not in one.column_names]
    if missing or more:
        column = (missing or more)[0]
        raise InputError(
            "both datasets must have the same columns. Received: "
            f"{column!r} in one of them alone. Prepare both alike."
        )
    try:
        two = two.select(one.column_names).cast(one.schema)
    except pa.ArrowException as error:
        line = " ".join(str(error).split())
        raise InputError(
            "both datasets must have the same types of columns. Received: "
            f"{line}. Prepare both alike."
        ) from error
    return pa.concat_tables([one, two])
