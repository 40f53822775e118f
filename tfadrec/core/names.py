"""Names of tensors, weights and signatures, made from the names of features.

A feature may be called whatever a column can be called. What TensorFlow names
after it has to be made of letters, digits and underscores, and unique even
where capitals are ignored. `tensor_names` is the one place where such names are
made; a schema keeps them beside the features' own.
"""

import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence

#: What files, batches, requests and signatures have already.
RESERVED = frozenset(
    {
        "ad_ids",
        "ad_slopes",
        "ad_traits",
        "bias",
        "bids",
        "candidate_ads",
        "candidate_mask",
        "clicked",
        "converted",
        "converted_if_clicked",
        "description",
        "event_type",
        "events",
        "examples",
        "exclude_ads",
        "exclude_history",
        "expires_seconds",
        "factors",
        "fields",
        "history",
        "history_ads",
        "history_ages",
        "history_category",
        "history_events",
        "history_length",
        "history_vectors",
        "id",
        "inputs",
        "joined",
        "k",
        "kwargs",
        "mask",
        "name",
        "new_ads",
        "now_seconds",
        "numbers",
        "request_id",
        "rows",
        "self",
        "split",
        "tags",
        "target",
        "target_category",
        "text",
        "text_appeal",
        "text_key",
        "text_query",
        "text_unit",
        "timestamp",
        "title",
        "token_ids",
        "token_length",
        "training",
        "trait_factors",
        "ad_id",
        "user_id",
        "user_key",
        "vector",
        "weight",
    }
)
#: What a feature's tensors may be called beside its own name: a request holds
#: the parts of a list or map, and new ads' columns have a prefix.
SUFFIXES = ("", "_weights", "_keys", "_values")
_PREFIXES = ("", "new_")
_LONGEST = 48


def tensor_names(
    features: Sequence[tuple[str, str]], labels: Iterable[str] = ()
) -> list[str]:
    """A name of its own for each feature.

    A name that is legal and free stays as it is. Of any other, letters keep
    their plain form, and what is left over becomes an underscore; a number is
    added where the result is taken. Names of events' features begin with
    `history_`, and no others do.

    Args:
      features: pairs of entity and name.
      labels: names that are taken as well.

    Returns:
      Names of letters, digits and underscores, which begin with a letter, in
      the order of `features`. The same features give the same names.
    """
    # Signatures take their inputs as arguments of Python functions.
    taken = {name.lower() for name in (*RESERVED, *keyword.kwlist, *labels)}
    names = []
    for entity, name in features:
        base = _plain(name) or f"{entity}_feature"
        if entity == "event":
            base = f"history_{base}"
        elif base.lower().startswith("history_"):
            base = f"f_{base}"
        made, number = base, 2
        while taken & _used_by(made):
            made, number = f"{base}_{number}", number + 1
        taken |= _used_by(made)
        names.append(made)
    return names


def _plain(name: str) -> str:
    """Letters, digits and underscores, from a letter on; "" where none is."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        return name[:_LONGEST]
    ascii_only = (
        unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    )
    made = re.sub(r"[^A-Za-z0-9]+", "_", ascii_only).strip("_")[:_LONGEST]
    return f"f_{made}" if made[:1].isdigit() else made


def _used_by(name: str) -> set[str]:
    return {
        f"{prefix}{name}{suffix}".lower()
        for prefix in _PREFIXES
        for suffix in SUFFIXES
    }
