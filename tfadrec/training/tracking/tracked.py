"""A run that is tracked while it is trained, over as many calls as it takes."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfadrec.core.read_json import read_json
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker
from tfadrec.runs.folder import TRACKING
from tfadrec.training.tracking.tracker import Settings, Tracker

_LOG = logging.getLogger(__name__)


class _Tracking:
    """Tells trackers of epochs, of each epoch once.

    A tracker that fails is left out from then on, with a warning: a training
    does not end because a server does not answer.
    """

    def __init__(self, folder: WorkFolder, trackers: Sequence[Tracker]) -> None:
        self._folder = folder
        self._active = list(trackers)
        # Program -> id, and how many epochs it knows.
        self._known: dict[str, dict[str, Any]] = {}
        if folder.is_own(TRACKING):
            self._known = read_json(folder.path / TRACKING)

    def begin(self, settings: Settings) -> None:
        """Begins tracked runs, or goes on with them."""
        for tracker in list(self._active):
            known = self._known.get(tracker.name, {"id": None, "epochs": 0})
            with self._surviving(tracker):
                name = self._folder.path.absolute().name
                found = tracker.begin(name, settings, known["id"])
                self._known[tracker.name] = {**known, "id": found}
        self._keep()

    def log(self, history: Sequence[Mapping[str, float]]) -> None:
        """Tells of all epochs of which a tracker does not know yet."""
        for tracker in list(self._active):
            known = self._known[tracker.name]
            with self._surviving(tracker):
                for epoch in range(known["epochs"], len(history)):
                    tracker.log(epoch + 1, history[epoch])
                    known["epochs"] = epoch + 1
        self._keep()

    def show(self, ranker: AdRanker, dataset: Dataset) -> None:
        """Shows what is to see of a trained ranker."""
        for tracker in list(self._active):
            with self._surviving(tracker):
                tracker.show(ranker, dataset)

    def end(self, *, has_failed: bool) -> None:
        """Ends the tracked runs."""
        for tracker in list(self._active):
            with self._surviving(tracker):
                tracker.end(has_failed=has_failed)

    @contextlib.contextmanager
    def _surviving(self, tracker: Tracker) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of programs that are not ours
            self._active.remove(tracker)
            _LOG.warning(
                "%s no longer tracks the run: %s",
                tracker.name,
                " ".join(str(error).split()),
            )

    def _keep(self) -> None:
        if not self._known:
            return
        text = json.dumps(self._known, indent=1)
        self._folder.write_text(TRACKING, text + "\n")


@contextlib.contextmanager
def tracked(
    folder: WorkFolder, trackers: Sequence[Tracker], settings: Mapping[str, Any]
) -> Iterator[_Tracking]:
    """Tracks a run while the body trains it.

    Args:
      folder: of the run, which is held; `tracking.json` in it has the ids by
        which a later call goes on.
      trackers: none, some or all.
      settings: of the run, by section.

    Yields:
      What to tell of epochs.
    """
    tracking = _Tracking(folder, trackers)
    tracking.begin(dict(_flat(settings)))
    try:
        yield tracking
    except BaseException:
        tracking.end(has_failed=True)
        raise
    tracking.end(has_failed=False)


def _flat(
    settings: Mapping[str, Any], before: str = ""
) -> Iterator[tuple[str, str | int | float | bool]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, str | int | float | bool):
            yield f"{before}{name}", value
        elif value is not None:
            yield f"{before}{name}", str(value)
