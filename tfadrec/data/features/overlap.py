"""What a user's or a request's terms have in common with an ad's."""

import dataclasses
from typing import ClassVar

from tfadrec.core.errors import InputError
from tfadrec.data.features.cross import require_distinct, require_reach
from tfadrec.data.features.kind import Kind

MEASURES = ("share", "count", "jaccard")


class Overlap(Kind):
    """The common values of two lists that share a vocabulary.

    Settings: `of`, two features of kind categories or category, the user's or
    the request's first; `measure`, see `Feature`. Worked out by the layer that
    reads it; missing where one of the lists is empty.
    """

    settings: ClassVar = {"measure": "share"}
    derived: ClassVar = True
    references: ClassVar = ("of",)

    def describe(self, feature, column, known, *, measure="share"):
        """See `Kind.describe`."""
        if measure not in MEASURES:
            raise InputError(
                f"`measure` must be one of {', '.join(MEASURES)}. Received: "
                f"{measure!r} for {feature.name!r}."
            )
        if len(feature.of) != 2:
            raise InputError(
                "an overlap is of two features. Received: of="
                f"{list(feature.of)} for {feature.name!r}."
            )
        require_distinct(feature, feature.of)
        for name in feature.of:
            require_reach(feature, known.get(name), name)
        first, second = (known[name] for name in feature.of)
        kinds = {"category", "categories"}
        owners = {known[name].share or name for name in feature.of}
        if not {first.kind, second.kind} <= kinds or len(owners) != 1:
            raise InputError(
                "an overlap is of two features of kind categories that share "
                f"a vocabulary. Received: {first.name!r} ({first.kind}) and "
                f"{second.name!r} ({second.kind}) for {feature.name!r}. Give "
                "one of them `share` with the other's name."
            )
        listed = (first.kind == "categories", second.kind == "categories")
        return dataclasses.replace(
            feature, measure=measure, listed=() if all(listed) else listed
        )
