"""Values and their codes: a vocabulary, or hash buckets in its place."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data.features.fingerprints import fingerprints
from tfadrec.data.features.value_counts import (
    MOST_VALUES,
    Chunks,
    counts_in_parts,
)

#: What `described` takes.
SETTINGS: dict[str, Any] = {"buckets": 0, "min_count": 1}
_MOST_BUCKETS = 2**30
_TRIES = 1 << 18
# Number of buckets -> the texts that were found, and how many were tried.
_FOUND: dict[int, dict[int, str]] = {}
_TRIED: dict[int, int] = {}


def described(
    feature: Feature,
    chunks: Callable[[], Chunks],
    known: Mapping[str, Feature],
    buckets: int,
    min_count: int,
) -> dict[str, Any]:
    """The vocabulary or the buckets of a feature.

    Args:
      feature: what shares its vocabulary is given that one.
      chunks: gives strings, null where one is missing, at each call anew.
      known: by name, the features that are described already.
      buckets: the number of hash buckets, or 0 for a vocabulary.
      min_count: how often a value has to be seen to be in the vocabulary,
        which holds `MOST_VALUES`. Where more values are seen as often, this is
        raised to the least number for which there are no more.

    Returns:
      `vocabulary` and `buckets`, and `least_count` where it was raised.

    Raises:
      InputError: where a setting is out of range, or what is shared has no
        vocabulary.
    """
    for name, value, least, most in (
        ("buckets", buckets, 0, _MOST_BUCKETS),
        ("min_count", min_count, 1, 2**62),
    ):
        if type(value) is not int or not least <= value <= most:
            raise InputError(
                f"`{name}` must be an integer from {least} to {most}. "
                f"Received: {value!r} for {feature.name!r}."
            )
    if buckets and min_count > 1:
        raise InputError(
            "hash buckets have no vocabulary to count values for. Received: "
            f"`min_count` with `buckets` for {feature.name!r}. Leave one of "
            "them out."
        )
    if feature.share:
        for name, value in (("buckets", buckets), ("min_count", min_count - 1)):
            if value:
                raise InputError(
                    f"{feature.name!r} has the codes of {feature.share!r}. "
                    f"Received: `{name}` with `share`. Leave `{name}` out."
                )
        owner = known.get(feature.share)
        if owner is None or owner.kind not in ("category", "categories"):
            raise InputError(
                f"{feature.name!r} can share the vocabulary of a category "
                f"only. Received: {feature.share!r}, which is "
                f"{'unknown' if owner is None else owner.kind}. Name a feature "
                "of kind category or categories."
            )
        if owner.share:
            raise InputError(
                f"{feature.name!r} must share with the feature that has the "
                f"vocabulary. Received: {feature.share!r}, which shares it "
                f"with {owner.share!r}. Name that one."
            )
        return {"vocabulary": owner.vocabulary, "buckets": owner.buckets}
    if buckets:
        return {"vocabulary": (), "buckets": buckets}
    often, least = _often(chunks, min_count)
    found = {"vocabulary": tuple(sorted(often.to_pylist())), "buckets": 0}
    return found if least == min_count else {**found, "least_count": least}


def _often(
    chunks: Callable[[], Chunks], least: int
) -> tuple[pa.ChunkedArray, int]:
    """The values that are seen often enough, and how often that is."""
    columns = {"value": pa.string(), "count": pa.int64()}
    found = pa.schema(columns).empty_table()
    for values, counts in counts_in_parts(chunks):
        part = pa.table({"value": values.cast(pa.string()), "count": counts})
        found = pa.concat_tables([found, part.drop_null()])
        seen = found["count"].to_numpy()
        seen = seen[seen >= least]
        if len(seen) > MOST_VALUES:
            # More values are seen as often as the first one that has no place.
            place = len(seen) - 1 - MOST_VALUES
            least = int(np.partition(seen, place)[place]) + 1
        found = found.filter(pc.greater_equal(found["count"], least))
    return found["value"], least


def codes(values: pa.Array | pa.ChunkedArray, feature: Feature) -> np.ndarray:
    """Codes of strings, int32 [n], 0 where missing or unknown."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    distinct = values.dictionary_encode()
    names = distinct.dictionary
    of_name = (
        _hashed(names, feature)
        if feature.buckets
        else places(names, feature.vocabulary)
    )
    # The empty text is what a request gives where nothing is known.
    empty = pc.equal(names, "").to_numpy(zero_copy_only=False)
    of_name = np.append(np.where(empty, 0, of_name), 0)
    rows = pc.fill_null(distinct.indices, len(names))
    return of_name[rows.to_numpy()].astype(np.int32)


def names(codes: np.ndarray, feature: Feature) -> np.ndarray:
    """Texts that have these codes, object [...]; "" for code 0.

    For a hash bucket that is a text that no request holds by accident.
    """
    if not feature.buckets:
        return np.array(["", *feature.vocabulary], object)[codes]
    wanted = np.unique(codes[codes > 0])
    texts = _texts_of(wanted.tolist(), feature)
    table = np.array(["", *texts], object)
    return table[np.searchsorted(np.append(0, wanted), codes)]


def _texts_of(wanted: list[int], feature: Feature) -> list[str]:
    """A text for each bucket, found by trying; what was found is kept."""
    found = _FOUND.setdefault(feature.buckets, {})
    tried = _TRIED.get(feature.buckets, 0)
    while not found.keys() >= set(wanted):
        numbers = pa.array(np.arange(tried, tried + _TRIES)).cast(pa.string())
        texts = pc.binary_join_element_wise("~", numbers, "")
        buckets, first = np.unique(_hashed(texts, feature), return_index=True)
        for bucket, at in zip(buckets.tolist(), first.tolist(), strict=True):
            found.setdefault(bucket, texts[at].as_py())
        tried = _TRIED[feature.buckets] = tried + _TRIES
    return [found[code] for code in wanted]


def places(values: pa.Array, known: tuple[str, ...]) -> np.ndarray:
    """1-based places of strings in a vocabulary, int32 [n], 0 where absent."""
    vocabulary = pa.array(known, pa.string())
    found = pc.index_in(values.cast(pa.string()), value_set=vocabulary)
    at = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
    return (at + 1).astype(np.int32)


def _hashed(names: pa.Array, feature: Feature) -> np.ndarray:
    buckets = fingerprints(names) % np.uint64(feature.buckets)
    return buckets.astype(np.int32) + 1
