"""Types of settings with bounds or names: `runs.rule` reads off what they are.

So a wrong value is refused before the class that it is for is imported. The
constructors check what they are given themselves.
"""

from typing import Annotated, Literal

#: How many, or how wide.
Count = Annotated[int, ">= 1"]
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
