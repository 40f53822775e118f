"""MIND: news as ads, published slates as requests."""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.schema import Schema
from tfadrec.data.columns import list_parents
from tfadrec.data.intake import checks
from tfadrec.data.intake.feature_columns import (
    describe_features,
    parse_features,
)
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.read_table import read_table
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.write import check_out, write_dataset

_TIME_FORMAT = "%m/%d/%Y %I:%M:%S %p"
_NEWS = (
    "id",
    "category",
    "subcategory",
    "title",
    "abstract",
    "url",
    "title_entities",
    "abstract_entities",
)
_FEATURES = tuple(
    FeatureSpec(name, "ad", "category", columns=(name,))
    for name in ("category", "subcategory")
)
_BEHAVIORS = ("impression", "user", "time", "history", "candidates")


def prepare_mind(
    news: str | pathlib.Path,
    behaviors: str | pathlib.Path,
    out: str | pathlib.Path,
) -> Summary:
    """Writes a published pair of MIND files as a dataset.

    A line of `behaviors.tsv` is a request, its list of news is the slate, and
    its history is used as it is. MIND shuffles its slates, so the place in the
    list is no position and none is written.

    Args:
      news: `news.tsv`, as published.
      behaviors: `behaviors.tsv`, as published, with labels.
      out: the folder to write.

    Raises:
      InputError: where a file cannot be used, or `out` is something else.

    Reference: F. Wu et al., "MIND: A Large-scale Dataset for News
      Recommendation", ACL 2020.
    """
    out = check_out(out)
    ledger = Ledger()
    ads = _ads(_read(news, "news", _NEWS), ledger)
    lines = _read(behaviors, "behaviors", _BEHAVIORS)
    impressions, histories = _requests(lines, ads["ad_id"], ledger)
    schema = Schema(
        source="mind",
        user_id_type="string",
        ad_id_type="string",
        event_types=("click",),
        features=describe_features(_FEATURES, [ads]),
    )
    return write_dataset(
        out,
        schema=schema,
        ads=ads,
        impressions=impressions,
        histories=histories,
        ledger=ledger,
    )


def _read(
    path: str | pathlib.Path, unit: str, columns: tuple[str, ...]
) -> RawRows:
    return read_table(
        path, unit, columns, delimiter="\t", header=False, quoting=False
    )


def _ads(rows: RawRows, ledger: Ledger) -> pa.Table:
    ad_ids = checks.ids(rows, "id", "string")
    checks.first_of_each(rows, ad_ids)
    empty = pa.array([[]], pa.list_(pa.string()))
    return pa.table(
        {
            "ad_id": ad_ids,
            "title": checks.texts(rows, "title"),
            "description": checks.texts(rows, "abstract"),
            "tags": empty.take(pa.array(np.zeros(len(rows), np.int64))),
            **parse_features(rows, _FEATURES, ledger),
        }
    ).filter(rows.settle(ledger))


def _requests(
    lines: RawRows, ad_ids: pa.ChunkedArray, ledger: Ledger
) -> tuple[pa.Table, pa.Table]:
    """Impressions, and the history of each line."""
    catalogue = ad_ids.combine_chunks()
    requests = checks.ids(lines, "impression", "string")
    users = checks.ids(lines, "user", "string")
    times = checks.timestamps(lines, "time", _TIME_FORMAT)
    slates = checks.lists(lines, "candidates", " ")
    _refuse_unlabelled(lines, slates)

    candidates, parents = _entries(lines, slates, "candidates")
    shown = pc.replace_substring_regex(candidates["entry"], "-[01]$", "")
    shown = shown.combine_chunks()
    labelled = pc.match_substring_regex(candidates["entry"], "-[01]$")
    candidates.refuse(~labelled.to_numpy(), "label is neither 0 nor 1")
    checks.known_ads(candidates, shown, catalogue)
    clicked = pc.ends_with(candidates["entry"], "-1").cast(pa.int8())

    filled = np.zeros(len(lines), bool)
    filled[parents[candidates.kept]] = True
    lines.refuse(~filled, "no candidate is left")

    before = checks.lists(lines, "history", " ")
    entries, readers = _entries(lines, before, "history entries")
    checks.known_ads(entries, entries["entry"].combine_chunks(), catalogue)

    kept_lines = lines.settle(ledger)
    kept = candidates.settle(ledger)
    kept_entries = entries.settle(ledger, needed=False)
    of_line = pa.array(parents[kept])
    # Rows of the histories are the kept lines, in their order.
    history = np.cumsum(kept_lines) - 1
    impressions = pa.table(
        {
            "request_id": requests.take(of_line),
            "user_id": users.take(of_line),
            "ad_id": shown.filter(kept),
            "timestamp": times.take(of_line),
            "clicked": clicked.filter(kept),
            "history": pa.array(history[parents[kept]]),
        }
    )
    lengths = np.bincount(readers[kept_entries], minlength=len(lines))
    offsets = np.concatenate([[0], np.cumsum(lengths[kept_lines])])
    histories = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        entries["entry"].combine_chunks().filter(kept_entries),
    )
    return impressions, pa.table({"ads": histories})


def _refuse_unlabelled(lines: RawRows, slates: pa.Array) -> None:
    """Refuses the lines of a published test set as a whole."""
    labelled = pc.match_substring(slates.flatten(), "-").to_numpy(False)
    has_label = np.zeros(len(lines), bool)
    has_label[list_parents(slates)[labelled]] = True
    empty = pc.list_value_length(slates).to_numpy() == 0
    lines.refuse(empty, "no candidates")
    lines.refuse(~has_label, "candidates without labels")


def _entries(
    lines: RawRows, values: pa.Array, unit: str
) -> tuple[RawRows, np.ndarray]:
    """The entries of the kept lines' lists, and each one's line."""
    parents = list_parents(values)
    kept = lines.kept[parents]
    parents = parents[kept]
    entries = values.flatten().filter(pa.array(kept))
    table = pa.table({"entry": pa.chunked_array([entries])})
    return RawRows(lines.source, unit, table, lines.lines[parents]), parents
