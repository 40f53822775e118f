"""A watcher that puts other values in place of those that enter a ranker."""

from collections.abc import Mapping
from typing import Any

from tfadrec.core.door import tf
from tfadrec.explanation.scopes import Key, Scopes


class Replacer(Scopes):
    """Gives other values in place of those that enter.

    Args:
      values: by key, as a `Recorder` has them.
    """

    def __init__(self, values: Mapping[Key, Any]) -> None:
        self._values = values

    def watch(self, key: Key, value: Any) -> Any:
        """The other value."""
        return tf.cast(self._values[key], value.dtype)
