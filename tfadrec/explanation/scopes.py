"""A watcher of what enters the parts of a request."""

from typing import Any

from tfadrec.ops import watched

#: Which part of a request it is, the layer's name, the names of features.
Key = tuple[str, str, tuple[str, ...]]


class Scopes:
    """Watches the parts of a request one by one, and changes nothing."""

    def of(self, scope: str) -> watched.Watcher:
        """The watcher of one part.

        Args:
          scope: `history`, `ad` or `request`.
        """

        def watcher(layer, features, value):
            if features == (watched.ATTENTION,):
                self.attention(layer, value)
                return value
            return self.watch((scope, layer, features), value)

        return watcher

    def watch(self, key: Key, value: Any) -> Any:
        """What goes on in place of a value."""
        return value

    def attention(self, layer: str, weights: Any) -> None:
        """Sees how much a layer attends to each event."""
