"""The ad copy of a catalogue as texts to learn from, and what is held out."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.tokenizer import ad_texts


@dataclasses.dataclass(frozen=True)
class Corpus:
    """The distinct texts of a catalogue.

    Args:
      texts: distinct, none of them empty, in the catalogue's order.
      ads: int64 [N + 1], the text of each row of the catalogue, -1 where it
        has none; row 0 is the unknown ad.
    """

    texts: Sequence[str]
    ads: np.ndarray

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Corpus":
        """The texts of a catalogue, as `tokenizer.ad_text` makes them.

        Raises:
          InputError: where no ad has a text.
        """
        places: dict[str, int] = {}
        ads = [-1]
        for text in ad_texts(catalogue):
            ads.append(places.setdefault(text, len(places)) if text else -1)
        if not places:
            raise InputError(
                "a dataset must have ad copy to learn from. Received: "
                f"{len(catalogue)} ads without title, description or tags. "
                "Map a column of texts in `tfadrec prepare table`."
            )
        return cls(list(places), np.array(ads))

    def hold_out(
        self, share: float, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Texts to learn from, and others to measure on.

        Args:
          share: of the texts to hold out, in (0, 1).
          seed: of the choice.

        Returns:
          The places of both in `texts`, ascending.

        Raises:
          InputError: where either has none.
        """
        return hold_out(len(self.texts), share, seed, "texts")


def hold_out(
    count: int, share: float, seed: int, what: str
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers below `count` to learn from, and others to measure on.

    Args:
      count: how many there are.
      share: of them to hold out, in (0, 1).
      seed: of the choice.
      what: they are, in the plural.

    Raises:
      InputError: where either comes out empty, or the share is out of range.
    """
    if not 0 < share < 1:
        raise InputError(
            f"`held_out` must lie in (0, 1). Received: held_out={share!r}."
        )
    held = round(count * share)
    if not 0 < held < count:
        raise InputError(
            f"there must be {what} to learn from and {what} to hold out. "
            f"Received: {count} distinct {what}, of which {held} are held out "
            f"at held_out={share}. Give more {what}, or another share."
        )
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])
