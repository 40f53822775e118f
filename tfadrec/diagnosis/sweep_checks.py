"""What a search tells of its settings, and what it cannot tell."""

import collections
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.manifest import first_damaged
from tfadrec.core.read_yaml import read_yaml
from tfadrec.diagnosis.finding import Finding
from tfadrec.tuning.files import BOARD, RECORD, read_json, search_folder

#: Trials that a search needs to tell anything.
_FEWEST = 3
#: Of a range, from each end, what is its border.
_BORDER = 0.05
#: Scores that differ by less are the same.
_SAME = 1e-4
#: A range of fewer values is mostly border.
_FEW_VALUES = 4

Board = Mapping[str, Any]


def trials_without_score(board: Board) -> Iterator[Finding]:
    """Trials that failed, or were never trained for their size."""
    trials = board["trials"]
    for status, name, mend in (
        ("failed", "failed_trials", "Mend the space, or what the trials say."),
        (
            "infeasible",
            "infeasible_trials",
            "Raise the limit, or leave the large models out of the space.",
        ),
    ):
        found = [t for t in trials if t["status"] == status]
        if not found:
            continue
        told = collections.Counter(t["message"] or "no word" for t in found)
        share = len(found) / len(trials)
        yield Finding(
            name,
            "error" if share == 1 else "warning" if share > 0.1 else "note",
            f"trial {found[0]['trial']}",
            f"trials have no score; most often: {told.most_common(1)[0][0]}",
            f"{len(found)} of {len(trials)} trials",
            mend,
        )


def unfinished(board: Board) -> Iterator[Finding]:
    """A search that was ended before it had looked at much."""
    running = [t for t in board["trials"] if t["status"] == "running"]
    scored = _scored(board)
    if running or len(scored) < _FEWEST:
        yield Finding(
            "few_trials",
            "note",
            "trials",
            "the search has few trials that ended",
            f"{len(scored)} with a score, {len(running)} running",
            "Call `tfadrec tune` again with a larger --max-trials.",
        )


def scores_that_do_not_vary(board: Board) -> Iterator[Finding]:
    """An objective that no setting moves, or no more than a seed does."""
    scored = _scored(board)
    if len(scored) < _FEWEST:
        return
    spread = _spread(scored)
    if spread < _SAME:
        yield Finding(
            "same_scores",
            "warning",
            board["objective"],
            "all trials have the same score",
            f"{len(scored)} trials within {spread:.1g}",
            "Does what is chosen reach the model, and has it rows to learn?",
        )
        return
    finalists = (board.get("final") or {}).get("finalists", ())
    of_seeds = [max(f["scores"]) - min(f["scores"]) for f in finalists]
    if of_seeds and spread < max(of_seeds):
        yield Finding(
            "noise",
            "warning",
            board["objective"],
            "another seed moves the score more than any setting",
            f"{spread:.4f} over trials, {max(of_seeds):.4f} over seeds",
            "Take the cheapest settings; more validation rows tell more.",
        )


def best_at_border(board: Board, space: str) -> Iterator[Finding]:
    """A best value at the end of what was searched; none where all are alike.

    Args:
      board: the leaderboard.
      space: as YAML; of a space that is a function nothing is known.
    """
    scored = _scored(board)
    if len(scored) < _FEWEST or _spread(scored) < _SAME:
        return
    for name, (low, high, log, count) in _ranges(space).items():
        value = scored[0]["values"].get(name)
        if type(value) not in (int, float) or not low < high:
            continue
        place = _place(value, low, high, log)
        if _BORDER < place < 1 - _BORDER or value == 0:
            continue
        yield Finding(
            "best_at_border",
            "note" if count < _FEW_VALUES else "warning",
            name,
            "the best trial is at the end of the range",
            f"{value:g}, searched from {low:g} to {high:g}",
            f"Search {'lower' if place < 0.5 else 'higher'} as well.",
        )


def of_sweep(folder: pathlib.Path) -> Iterator[Iterator[Finding]]:
    """All checks of a search.

    Args:
      folder: its own.

    Raises:
      InputError: where it has ended no trial yet, or a file was changed.
    """
    if damaged := first_damaged(folder, (RECORD, BOARD)):
        raise search_folder(folder).damaged(damaged)
    record, board = (read_json(folder / name) for name in (RECORD, BOARD))
    if not board.get("trials"):
        raise InputError(
            "a search is examined by its leaderboard. Received: "
            f"{folder}, where no search has ended. Call `tfadrec tune` again: "
            "it goes on."
        )
    yield trials_without_score(board)
    yield unfinished(board)
    yield scores_that_do_not_vary(board)
    yield best_at_border(board, str(record.get("space", "")))


def _scored(board: Board) -> list[Mapping[str, Any]]:
    """The trials with a score, best first."""
    return [t for t in board["trials"] if t["score"] is not None]


def _spread(scored: Sequence[Mapping[str, Any]]) -> float:
    """How far apart the scores of trials are."""
    scores = [trial["score"] for trial in scored]
    return max(scores) - min(scores)


def _ranges(space: str) -> dict[str, tuple[float, float, bool, float]]:
    """Setting -> least, largest, whether in logs, and how many values."""
    try:
        sections = read_yaml(space)
    except InputError:
        return {}
    return dict(_in(sections, "")) if isinstance(sections, Mapping) else {}


def _in(node: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        path = f"{name}.{key}" if name else str(key)
        if not isinstance(value, Mapping):
            continue
        limits = value.get("int", value.get("float"))
        choice = value.get("choice")
        if isinstance(limits, Mapping):
            low, high = float(limits["min"]), float(limits["max"])
            step = limits.get("step") or (1 if "int" in value else 0)
            log = bool(limits.get("log"))
            count = (high - low) / step + 1 if step and not log else math.inf
            yield path, (low, high, log, count)
        elif isinstance(choice, list):
            if all(type(each) in (int, float) for each in choice):
                count = float(len(set(choice)))
                yield path, (min(choice), max(choice), False, count)
        else:
            yield from _in(value, path)


def _place(value: float, low: float, high: float, log: bool) -> float:
    """Where a value is in a range, from 0 to 1."""
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)
