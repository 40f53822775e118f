"""Types of settings with bounds or names: `runs.rule` reads off what they are.

So a wrong value is refused before the class that it is for is imported. The
constructors check what they are given themselves.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from tfadrec.core.errors import InputError

#: The largest number in settings, whatever it is for. Seeds are below it too.
MOST = 2**31 - 1

#: How many, or how wide.
Count = Annotated[int, ">= 1 and <= 65536"]
#: The same of what may be left out.
Extra = Annotated[int, ">= 0 and <= 65536"]
#: How many parts are made, each with weights of its own.
Parts = Annotated[int, ">= 1 and <= 256"]
#: The same of parts that may be left out.
MoreParts = Annotated[int, ">= 0 and <= 256"]
#: How many rows are worked on at a time.
Rows = Annotated[int, ">= 1 and <= 1048576"]
#: How many ids a table has room for.
Ids = Annotated[int, ">= 1 and <= 1000000000"]
#: How often something is done.
Steps = Annotated[int, ">= 1 and <= 1000000000"]
#: A number that may be zero.
Amount = Annotated[float, ">= 0"]
#: A number that may not.
Positive = Annotated[float, "> 0"]
#: The share that is dropped.
Rate = Annotated[float, "in [0, 1)"]
#: The share of something that is left.
Share = Annotated[float, "in (0, 1)"]
#: What random numbers are made of, and steps counted from.
Index = Annotated[int, ">= 0"]
#: The losses by the names that settings give them.
LossName = Literal[
    "binary",
    "squared",
    "huber",
    "ziln",
    "softmax",
    "ranknet",
    "lambda",
    "jrc",
]

#: Those of them whose labels are amounts, and not 0 or 1.
REAL_LOSSES = frozenset({"squared", "huber", "ziln"})


def refuse_huge(place: str, value: Any) -> None:
    """Refuses numbers that no setting has, wherever they stand in a value.

    The bounds of a single setting are far below, where it has any.

    Args:
      place: where the value stands, as an error names it.
      value: from YAML.

    Raises:
      InputError: with the number, and its place.
    """
    if isinstance(value, Mapping):
        for name, each in value.items():
            refuse_huge(f"{place}.{name}", each)
    elif isinstance(value, list | tuple):
        for each in value:
            refuse_huge(place, each)
    elif isinstance(value, float) and math.isnan(value):
        raise InputError(
            f"`{place}` must be a number. Received: nan, which is none."
        )
    elif isinstance(value, int | float) and not abs(value) <= MOST:
        raise InputError(
            f"`{place}` must be no number beyond ±{MOST}. Received: {value!r}."
        )
