"""What a bundle carries of the rows that its model was trained on."""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError
from tfadrec.core.read_json import parse_json, read_json
from tfadrec.core.schema import Schema
from tfadrec.monitoring.known_ids import KnownIds
from tfadrec.monitoring.observed import Observed
from tfadrec.monitoring.reference import Reference
from tfadrec.monitoring.signal import Row, Signal
from tfadrec.monitoring.signals import signals_of

#: The files of a version's folder.
FILE, IDS_FILE = "monitor.json", "monitor_ids.npz"
#: What the answered score is called among the signals.
SCORE = "score"
_VERSION = 1
_MOST_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True)
class Profile:
    """Statistics of training rows, by signal, and of scores.

    Args:
      schema: of the dataset.
      history_length: T of the model.
      ids: `users` and `ads`, those that the bundle knows.
      references: signal -> what it was; `score` is of validation rows.
      rows: how many training rows it was learned from.
    """

    schema: Schema
    history_length: int
    ids: Mapping[str, KnownIds]
    references: Mapping[str, Reference]
    rows: int

    @classmethod
    def of(
        cls,
        schema: Schema,
        history_length: int,
        ids: Mapping[str, KnownIds],
        rows: Sequence[Row],
        users: NDArray,
        *,
        scores: NDArray | None = None,
        score_users: NDArray | None = None,
    ) -> "Profile":
        """Learned from training rows.

        Args:
          schema: see the class.
          history_length: likewise.
          ids: likewise.
          rows: as requests would have them, [n].
          users: [n], who each is of.
          scores: [m] in [0, 1], of validation rows, or None.
          score_users: [m], who these are of.
        """
        found = {
            signal.name: Reference.of(
                signal.observe(rows), users, is_number=signal.is_number
            )
            for signal in signals_of(schema, history_length, ids)
        }
        if scores is not None and score_users is not None:
            found[SCORE] = Reference.of(
                observed_scores(scores), score_users, is_number=True
            )
        kept = {name: r for name, r in found.items() if r is not None}
        return cls(schema, history_length, ids, kept, len(rows))

    def signals(self) -> list[Signal]:
        """The signals of requests that there is a reference of."""
        signals = signals_of(self.schema, self.history_length, self.ids)
        return [s for s in signals if s.name in self.references]

    def with_ads(self, ad_ids: Iterable[str | int]) -> "Profile":
        """The same of a bundle that knows more ads."""
        ads = self.ids["ads"].more(ad_ids)
        return dataclasses.replace(self, ids={**self.ids, "ads": ads})

    def save(self, folder: pathlib.Path) -> None:
        """Writes it into a version's folder."""
        values = {
            "version": _VERSION,
            "rows": self.rows,
            "history_length": self.history_length,
            "schema": parse_json(self.schema.to_json()),
            "references": {
                name: reference.to_dict()
                for name, reference in self.references.items()
            },
        }
        (folder / FILE).write_text(json.dumps(values, indent=1) + "\n", "utf-8")
        np.savez_compressed(
            folder / IDS_FILE,
            users=self.ids["users"].digests,
            ads=self.ids["ads"].digests,
        )

    @classmethod
    def load(cls, folder: pathlib.Path) -> "Profile":
        """Reads it from a version's folder.

        Raises:
          InputError: where there is none, or one that cannot be read.
        """
        try:
            values = read_json(folder / FILE, _MOST_BYTES)
            if values["version"] != _VERSION:
                raise ValueError(f"version {values['version']!r}")
            with np.load(folder / IDS_FILE, allow_pickle=False) as file:
                ids = {name: KnownIds(file[name]) for name in ("users", "ads")}
            return cls(
                Schema.from_json(json.dumps(values["schema"])),
                values["history_length"],
                ids,
                {
                    name: Reference.from_dict(reference)
                    for name, reference in values["references"].items()
                },
                values["rows"],
            )
        except FileNotFoundError as error:
            raise InputError(
                "requests are watched with what the bundle tells of its "
                f"training rows. Received: {folder}, which has no {FILE}. "
                "Export the run again."
            ) from error
        except Exception as error:  # An archive of arrays raises anything.
            raise InputError(
                f"{FILE} and {IDS_FILE} must be as they were exported. "
                f"Received: {folder}, where they cannot be read ({error!r}). "
                "Export the run again."
            ) from error


def observed_scores(scores: NDArray) -> Observed:
    """Scores [m], of a request each."""
    nothing = np.zeros(len(scores), bool)
    return Observed(np.arange(len(scores)), scores, nothing, nothing)
