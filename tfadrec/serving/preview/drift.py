"""Whether requests are like the training rows, measured beside the answers."""

import threading
import time
from collections import deque
from collections.abc import Mapping

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.monitoring import Profile, prometheus_page
from tfadrec.monitoring.prometheus import model_label
from tfadrec.monitoring.request import Request
from tfadrec.monitoring.window import Window
from tfadrec.serving.preview.json_tensors import plain
from tfadrec.serving.preview.log import LOG
from tfadrec.serving.preview.servable import Servable
from tfadrec.serving.preview.versions import Versions

#: The most of a processor that measuring takes: it holds up Python's threads.
_SHARE = 0.02
#: Users of requests that are counted at a time, so that none is held up for
#: long, and how often somebody looks whether there are some.
_TOGETHER, _SECONDS = 16, 0.1
#: Users of requests, and their bytes, that wait; more than that is passed over.
_MOST_USERS, _MOST_BYTES = 512, 16 * 2**20
#: What an object of Python takes, besides its bytes.
_OBJECT = 40

_Arrays = Mapping[str, np.ndarray]


class Drift:
    """Measures what was asked of the newest version, window by window.

    Answered requests wait in a bounded place for a thread of their own, which
    works a fiftieth of the time at most. What comes faster is passed over, and
    counted.

    Args:
      versions: of the model.
      window: the users of a window.
    """

    def __init__(self, versions: Versions, window: int) -> None:
        self._versions, self._size = versions, window
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Servable, _Arrays, _Arrays, int]] = deque()
        self._users = self._bytes = self._passed_over = 0
        self._stop = threading.Event()
        self._page = ""
        self._watched: Servable | None = None
        self._profile: Profile | None = None
        self._window: Window | None = None
        self._number = 1

    def add(
        self, servable: Servable, inputs: _Arrays, outputs: _Arrays
    ) -> None:
        """Takes an answered request, or passes it over; waits for nothing.

        Args:
          servable: that has answered.
          inputs: of the request, name -> array [B, ...].
          outputs: of the answer, likewise.
        """
        if "user_id" not in inputs:
            return
        users, size = len(inputs["user_id"]), sum(map(_size, inputs.values()))
        with self._lock:
            if (
                self._users + users > _MOST_USERS
                or self._bytes + size > _MOST_BYTES
            ):
                self._passed_over += users
                return
            self._waiting.append((servable, inputs, outputs, size))
            self._users += users
            self._bytes += size

    def page(self) -> str:
        """The last window in Prometheus' text format."""
        name = "tfadrec_monitor_passed_over_total"
        return (
            f"{self._page}# TYPE {name} counter\n"
            f"{name}{{{model_label(self._versions.name)}}} "
            f"{self._passed_over}\n"
        )

    def start(self) -> threading.Thread:
        """Measures in a thread, until `stop`."""
        thread = threading.Thread(target=self._work, daemon=True, name="drift")
        thread.start()
        return thread

    def stop(self) -> None:
        """Ends it."""
        self._stop.set()

    def _work(self) -> None:
        pause = _SECONDS
        while not self._stop.wait(pause):
            begun = time.thread_time()
            try:
                self.step()
            except Exception:  # a request may be of any kind
                LOG.exception("Requests cannot be measured.")
            took = time.thread_time() - begun
            pause = max(_SECONDS, took / _SHARE)

    def step(self) -> None:
        """Counts some of the requests that wait."""
        self._follow(self._versions.find(self._versions.name))
        for servable, inputs, outputs in self._taken():
            if self._window is None or servable is not self._watched:
                continue
            self._window.add(_request(inputs, outputs))
            if self._window.requests >= self._size:
                self._measure(self._window)

    def _taken(self) -> list[tuple[Servable, _Arrays, _Arrays]]:
        """Requests that wait, of some users."""
        found, users = [], 0
        with self._lock:
            while self._waiting and users < _TOGETHER:
                servable, inputs, outputs, size = self._waiting.popleft()
                users += len(inputs["user_id"])
                self._bytes -= size
                found.append((servable, inputs, outputs))
            self._users -= users
        return found

    def _follow(self, newest: Servable) -> None:
        """Begins anew where there is a newer version."""
        if newest is self._watched:
            return
        self._watched, self._profile, self._window = newest, None, None
        try:
            self._profile = Profile.load(newest.folder)
        except InputError as error:
            LOG.warning("Requests are not measured: %s", error)
            return
        self._number = 1
        self._begin(self._profile)

    def _begin(self, profile: Profile) -> None:
        self._window = Window(profile, profile.signals(), {}, _TOGETHER)

    def _measure(self, window: Window) -> None:
        assert self._profile is not None
        found = window.measured(self._number)
        self._page = prometheus_page(self._versions.name, found)
        self._number += 1
        self._begin(self._profile)


def _size(values: np.ndarray) -> int:
    """Bytes that an array holds, those of its texts included."""
    texts = 0
    if values.dtype == object:
        texts = sum(map(len, values.flat)) + _OBJECT * values.size
    return values.nbytes + texts


def _request(inputs: _Arrays, outputs: _Arrays) -> Request:
    columns = {name: plain(values) for name, values in inputs.items()}
    rows = [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]
    # What `recommend` answers is called otherwise: scores of the best ads are
    # not those of ads that were shown.
    scores = outputs.get("score")
    if scores is not None:
        scores = scores.ravel().astype(np.float64)
    return Request("", time.time(), rows, scores, np.array([], str))
