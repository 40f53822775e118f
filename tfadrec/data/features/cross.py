"""The hashed pair or triple of categories."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data.features.kind import Kind, kind_named

#: The entities whose features one of each entity can be crossed with.
REACH = {
    "ad": ("ad",),
    "user": ("user",),
    "context": ("context",),
    "event": ("event",),
    "candidate": ("ad", "user", "context", "candidate"),
}


class Cross(Kind):
    """Two or three categories together, worked out by the layer that reads it.

    Settings: `of`, the categories (or numbers in buckets); `buckets`, the
    number of hash buckets. A cross of features of several entities belongs to
    the candidate.
    """

    settings: ClassVar = {"buckets": 10_000}
    derived: ClassVar = True
    references: ClassVar = ("of",)

    def describe(self, feature, column, known, *, buckets=10_000):
        """See `Kind.describe`."""
        if type(buckets) is not int or not 1 <= buckets <= 2**30:
            raise InputError(
                "`buckets` must be an integer from 1 to 2^30. Received: "
                f"{buckets!r} for {feature.name!r}."
            )
        if len(feature.of) not in (2, 3):
            raise InputError(
                "a cross is of two or three features. Received: of="
                f"{list(feature.of)} for {feature.name!r}."
            )
        require_distinct(feature, feature.of)
        for name in feature.of:
            require_reach(feature, known.get(name), name)
            if known[name].spec()["kind"] != "category":
                raise InputError(
                    "a cross is of categories, or of numbers in buckets. "
                    f"Received: {name!r}, {kind_named(known[name].kind)}, for "
                    f"{feature.name!r}."
                )
        return dataclasses.replace(feature, buckets=buckets)


def require_distinct(feature: Feature, of: Sequence[str]) -> None:
    """Refuses a derived feature that reads the same one twice.

    Raises:
      InputError: where it does.
    """
    for place, name in enumerate(of):
        if name in of[:place]:
            raise InputError(
                f"`of` must name each feature once. Received: {name!r} twice "
                f"for the {feature.kind} {feature.name!r}. Leave one out."
            )


def require_reach(feature: Feature, read: Feature | None, name: str) -> None:
    """Refuses a derived feature that reads what its entity cannot see.

    Raises:
      InputError: where `read` is unknown or of another entity.
    """
    reach = REACH[feature.entity]
    if read is None or read.entity not in reach:
        what = "unknown" if read is None else f"of the {read.entity}"
        mend = f"Name a feature of the {' or '.join(reach)}"
        pair = {feature.entity, read.entity if read else ""}
        if pair <= set(REACH["candidate"]):
            mend = (
                "What is of several entities is the candidate's: move "
                f"{feature.name!r} to impressions.candidate_features"
            )
        raise InputError(
            f"a feature of the {feature.entity} can read features of the "
            f"{' or '.join(reach)}. Received: {name!r}, which is {what}, for "
            f"the {feature.kind} {feature.name!r}. {mend}."
        )
