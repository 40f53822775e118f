"""A watcher that keeps what enters a ranker."""

from typing import Any

from tfadrec.core.door import tf
from tfadrec.explanation.scopes import Key, Scopes


class Recorder(Scopes):
    """Keeps all that enters.

    Attributes:
      values: by key.
      attended: layer -> what it attended to, as often as it did.
    """

    def __init__(self) -> None:
        self.values: dict[Key, Any] = {}
        self.attended: dict[str, list[Any]] = {}

    def watch(self, key: Key, value: Any) -> Any:
        """Keeps the value."""
        if key in self.values:
            raise ValueError(
                "a value must enter a part of a ranker once. Received: "
                f"{key} twice. Name its layers differently."
            )
        self.values[key] = value
        return value

    def attention(self, layer: str, weights: Any) -> None:
        """Keeps the weights."""
        self.attended.setdefault(layer, []).append(weights)

    def weights(self, num_requests: int, time: int) -> dict[str, Any]:
        """The weights of events for the one candidate, layer -> [B, T].

        What events attend to among themselves is left out, and so is a choice
        of some of them.

        Args:
          num_requests: B.
          time: T.
        """
        found = {}
        for layer, parts in self.attended.items():
            parts = [
                tf.reduce_mean(p, axis=1) if p.shape.rank == 4 else p
                for p in parts
            ]
            if any(tuple(p.shape[1:]) != (1, time) for p in parts):
                continue
            # Some layers take the requests in blocks, others the events.
            in_blocks = sum(p.shape[0] for p in parts) == num_requests
            joined = tf.concat(parts, 0) if in_blocks else tf.add_n(parts)
            found[layer] = tf.cast(joined[:, 0, :], tf.float32).numpy()
        return found
