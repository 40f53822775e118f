"""A run that goes on with every piece of a log that grows."""

import json
import logging
import pathlib
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from tfadrec.core.errors import InputError, NothingNewError
from tfadrec.core.read_json import read_json
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.intake.join_datasets import join_datasets
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.write import is_made
from tfadrec.runs.before import data_path
from tfadrec.runs.folder import (
    JOINED,
    PLACE,
    RECORD,
    require_intact,
    run_folder,
)
from tfadrec.runs.record import place_of_data, read_record
from tfadrec.training.following.source import Source
from tfadrec.training.run import Run
from tfadrec.training.update import update

_LOG = logging.getLogger(__name__)
#: Its runs, and the rows of the day that is learned.
_INSIDE = ("[0-9]" * 6 + "*", "rows", "rows/*")


def follow(
    run: str | pathlib.Path,
    source: Source,
    out: str | pathlib.Path,
    *,
    epochs: int = 1,
    rehearse: float = 0.0,
    rate: float = 1.0,
    progress: bool = True,
    allow_import: Collection[str] = (),
    tell: Callable[[Summary], object] = lambda summary: None,
) -> Iterator[tuple[pathlib.Path, pathlib.Path, Run]]:
    """Updates a run with every piece that a log has by now, one after another.

    Every piece makes a run folder in `out`, `000001` and so on, each of the one
    before; see `update`. With it is the place in the log up to which it has
    learned, in `place.json`. That is written before the piece is joined to the
    rows, and again when the run is finished. So a follower that was killed goes
    on where it was, and each piece is learned once: a piece that was joined is
    not asked for again, and one that was not is. A piece that has no new row is
    passed over, with a warning.

    Runs before the newest finished one are not needed to go on.

    Args:
      run: the folder of a finished run, to begin with.
      source: of the pieces.
      out: the folder of the runs.
      epochs: see `update`.
      rehearse: see `update`.
      rate: see `update`.
      progress: see `update`.
      allow_import: see `update`.
      tell: likewise.

    Yields:
      After each piece the folder of the run before, that of the new run, and
      the new run. It ends where the log has no further piece by now.

    Raises:
      InputError: where `out` follows another run or holds something else, or
        as `update`.
    """
    runs = WorkFolder(out, "folder of a follower", others=_INSIDE)
    runs.check()
    out = runs.path
    began = data_path(run)
    before, place, number = pathlib.Path(run), None, 1
    known: Run | None = None
    for there in reversed(_runs_in(out)):
        found = _read_place(there)
        if found is None:
            continue
        if found["run"] != began:
            raise InputError(
                "a follower goes on with the run that it began with. Received: "
                f"{run}, and {out}, which follows {found['run']}. Name another "
                "folder with --out."
            )
        if found["learned"]:
            run_folder(there).check()  # what a kill has left there goes
            place, number = found["place"], int(there.name)
            if (there / RECORD).exists():
                before, number = there, number + 1
            break
    while True:
        folder = run_folder(out / f"{number:06}")
        told = _take(before, source, place, folder, began, tell)
        if told is None:
            return
        try:
            updated = update(
                before,
                folder.path / JOINED,  # where it is joined already
                folder.path,
                epochs=epochs,
                rehearse=rehearse,
                rate=rate,
                progress=progress,
                allow_import=allow_import,
                before=known,
            )
        except NothingNewError:
            place = told["place"]
            _LOG.warning("no row of %.80r is new: it is passed over.", place)
            # So that it is not asked for again; the first place has no run yet.
            last = run_folder(before) if number > 1 else folder
            with last.held():
                _write_place(last, {**told, "learned": True})
            continue
        with folder.held():
            _write_place(folder, {**told, "learned": True})
        yield before, folder.path, updated
        known = updated
        before, place, number = folder.path, told["place"], number + 1


def _take(
    before: pathlib.Path,
    source: Source,
    place: Any,
    folder: WorkFolder,
    began: str,
    tell: Callable[[Summary], object],
) -> dict[str, Any] | None:
    """Joins the next piece to the rows of the run before, or finds it joined.

    Returns:
      What `place.json` says, None where there is no piece.
    """
    with folder.held():
        joined = folder.path / JOINED
        told = _read_place(folder.path)
        if told is not None and is_made(joined):
            return told
        found = source.next(place)
        if found is None:
            return None
        told = {"run": began, "place": found[0], "learned": False}
        _write_place(folder, told)
        rows = place_of_data(before, read_record(before))
        tell(join_datasets(rows, found[1], joined))
        return told


def _runs_in(out: pathlib.Path) -> list[pathlib.Path]:
    """The follower's run folders, the oldest first."""
    there = out.iterdir() if out.is_dir() else ()
    return sorted(p for p in there if re.fullmatch(r"[0-9]{6}", p.name))


def _write_place(folder: WorkFolder, told: dict[str, Any]) -> None:
    folder.write_text(PLACE, json.dumps(told, indent=1))


def _read_place(run: pathlib.Path) -> dict[str, Any] | None:
    """What `place.json` says, None where there is none."""
    require_intact(run, PLACE)
    try:
        found = read_json(run / PLACE)
        return {name: found[name] for name in ("run", "place", "learned")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "a follower's place.json must say what was learned. Received: "
            f"{run / PLACE}, which does not. Remove that run's folder: what it "
            "has learned is learned again."
        ) from error
