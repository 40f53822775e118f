"""Counts of requests and their times, as Prometheus reads them."""

import threading
from collections import Counter

from tfadrec.monitoring.prometheus import model_label

#: Upper bounds of the histogram, microseconds: TensorFlow Serving's.
BOUNDS = tuple(10 * 1.8**n for n in range(33))


class Metrics:
    """What TensorFlow Serving counts of requests, under its names.

    Args:
      model: name of the model.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._statuses: Counter[str] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def add(self, entrypoint: str, status: str, seconds: float) -> None:
        """Counts a request.

        Args:
          entrypoint: `REST` or `GRPC`.
          status: name of its canonical code.
          seconds: that it took.
        """
        micros = 1e6 * seconds
        place = next(
            (n for n, bound in enumerate(BOUNDS) if micros <= bound),
            len(BOUNDS),
        )
        with self._lock:
            self._statuses[status] += 1
            buckets = self._buckets.setdefault(
                entrypoint, [0] * (len(BOUNDS) + 1)
            )
            buckets[place] += 1
            self._sums[entrypoint] = self._sums.get(entrypoint, 0.0) + micros

    @property
    def count(self) -> int:
        """Requests so far."""
        return self._statuses.total()

    def page(self) -> str:
        """All of it in Prometheus' text format."""
        with self._lock:
            statuses = dict(self._statuses)
            buckets = {k: list(v) for k, v in self._buckets.items()}
            sums = dict(self._sums)
        name, model = ":tensorflow:serving:request", model_label(self._model)
        lines = [f"# TYPE {name}_count counter"]
        lines += [
            f'{name}_count{{{model},status="{status}"}} {n}'
            for status, n in sorted(statuses.items())
        ]
        lines.append(f"# TYPE {name}_latency histogram")
        for entrypoint, counts in sorted(buckets.items()):
            labels = f'{model},API="predict",entrypoint="{entrypoint}"'
            total = 0
            for bound, n in zip((*BOUNDS, "+Inf"), counts, strict=True):
                total += n
                lines.append(
                    f'{name}_latency_bucket{{{labels},le="{bound}"}} {total}'
                )
            lines.append(
                f"{name}_latency_sum{{{labels}}} {sums[entrypoint]:.0f}"
            )
            lines.append(f"{name}_latency_count{{{labels}}} {total}")
        return "\n".join([*lines, ""])
