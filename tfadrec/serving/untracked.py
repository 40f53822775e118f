"""What a SavedModel does not see."""

from typing import Any


class Untracked:
    """Keeps an object out of the SavedModel; its weights are listed apart."""

    def __init__(self, value: Any) -> None:
        self.value = value
