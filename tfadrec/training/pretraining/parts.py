"""What there is to learn from, and what is held out to measure on."""

import dataclasses

import numpy as np

from tfadrec.data.copy.corpus import Corpus
from tfadrec.data.copy.near_events import NearEvents
from tfadrec.data.dataset import Dataset
from tfadrec.data.split import split_by_time
from tfadrec.training.pretraining.settings import Settings


@dataclasses.dataclass(frozen=True)
class Parts:
    """The two parts of a dataset's ad copy, or of its pairs of clicks.

    Args:
      corpus: the distinct texts of the dataset.
      learn: places of the texts to learn from, int [n].
      held: places of the texts that are held out, int [m].
      near: pairs of clicks to learn from, and those that are held out; None
        where the texts themselves are learned.
    """

    corpus: Corpus
    learn: np.ndarray
    held: np.ndarray
    near: tuple[NearEvents, NearEvents] | None

    @property
    def learned_texts(self) -> list[str]:
        """The texts that are not held out."""
        return [self.corpus.texts[place] for place in self.learn]


def parted(dataset: Dataset, settings: Settings) -> Parts:
    """Holds out texts, and pairs of clicks where those are learned from.

    Raises:
      InputError: where there is too little to learn from or to hold out.
    """
    corpus = Corpus.of(dataset.catalogue)
    learn, held = corpus.hold_out(settings.held_out, settings.seed)
    near = None
    if settings.is_contrastive and settings.pairs == "clicks":
        near = _near_events(dataset, corpus, settings)
    return Parts(corpus, learn, held, near)


def _near_events(
    dataset: Dataset, corpus: Corpus, settings: Settings
) -> tuple[NearEvents, NearEvents]:
    """Pairs to learn from and pairs held out, before what is measured on."""
    _, valid, test = split_by_time(
        dataset, valid=settings.valid, test=settings.test
    )
    first = min(part.impressions.times.min() for part in (valid, test))
    events = NearEvents.of(
        dataset,
        corpus,
        before=int(first),
        window_seconds=settings.window_seconds,
        event_types=settings.events,
    )
    return events.hold_out(settings.held_out, settings.seed)
