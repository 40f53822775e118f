"""A formula of numbers."""

import dataclasses
from typing import ClassVar

from tfadrec.core.errors import InputError
from tfadrec.core.expression import LETTERS, letters_of, parse
from tfadrec.data.features.cross import require_reach
from tfadrec.data.features.kind import Kind, kind_named


class Expression(Kind):
    """A number that is worked out of others, in their own units.

    Settings: `of`, the numbers, called `a`, `b` and so on; `expression`, the
    formula, see `tfadrec.core.expression`. Numbers come clipped to the range
    that they were seen in. The result is read as asinh of itself, which bounds
    what a division by little can do; it is missing where a number is, or where
    the formula has no finite value. Worked out by the layer that reads it.
    """

    settings: ClassVar = {"expression": ""}
    derived: ClassVar = True
    references: ClassVar = ("of",)

    def describe(self, feature, column, known, *, expression=""):
        """See `Kind.describe`."""
        if not 1 <= len(feature.of) <= len(LETTERS):
            raise InputError(
                f"an expression is of 1 to {len(LETTERS)} numbers. Received: "
                f"of={list(feature.of)} for {feature.name!r}."
            )
        used = letters_of(parse(expression, len(feature.of)))
        for letter, name in zip(LETTERS, feature.of, strict=False):
            if letter not in used:
                raise InputError(
                    "an expression must use all that it is of. Received: "
                    f"{expression!r} without {letter!r}, {name!r}, for "
                    f"{feature.name!r}. Leave {name!r} out of `of`."
                )
        scales = []
        for name in feature.of:
            require_reach(feature, known.get(name), name)
            number = known[name]
            if number.kind != "number" or number.bounds:
                raise InputError(
                    "an expression is of numbers that are not in buckets. "
                    f"Received: {name!r}, {kind_named(number.kind)}, for "
                    f"{feature.name!r}."
                )
            scales.append((number.mean, number.std, float(number.log1p)))
        return dataclasses.replace(
            feature, expression=expression, scales=tuple(scales)
        )
