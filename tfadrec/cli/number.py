"""Numbers of options."""

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A finite number in a range, which nan is in none of."""

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """The number that a text stands for."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number
