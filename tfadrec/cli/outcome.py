"""What a command tells a pipeline."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The values of a command that worked, and an exit code of its own.

    Args:
      values: as every command returns them.
      code: 0, or what the command's help says that it means.
    """

    values: dict[str, Any]
    code: int = 0
