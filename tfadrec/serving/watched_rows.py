"""What a bundle tells of its training rows, for requests to be watched."""

import pathlib

import numpy as np

from tfadrec.calibration import Calibration
from tfadrec.core.door import tf
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker
from tfadrec.monitoring import Profile
from tfadrec.monitoring.known_ids import KnownIds
from tfadrec.monitoring.signal import Row
from tfadrec.serving.requests import replay
from tfadrec.serving.scores import Scores

#: Rows that tell the distributions, and how many are replayed at a time.
_ROWS, _AT_ONCE = 20_000, 2_048


def write_profile(
    folder: pathlib.Path,
    ranker: AdRanker,
    train: Dataset,
    valid: Dataset,
    *,
    calibration: Calibration | None = None,
    more: Catalogue | None = None,
) -> None:
    """Writes the statistics of up to 20,000 training rows.

    Args:
      folder: of the bundle's version.
      ranker: what the bundle is made of.
      train: the rows that it has learned from, at least one.
      valid: rows that it has not, whose scores are kept; it may have none.
      calibration: of the ranker's logits.
      more: ads beside the catalogue's.
    """
    ads = [train.catalogue.ad_ids, *([more.ad_ids] if more else [])]
    ids = {
        "users": KnownIds.of(train.user_ids.tolist()),
        "ads": KnownIds.of(np.concatenate(ads).tolist()),
    }
    picked = train.select(spread(len(train)))
    scored = valid.select(spread(len(valid)))
    Profile.of(
        train.schema,
        train.history_length,
        ids,
        as_rows(picked),
        picked.impressions.people,
        scores=_scores(ranker, scored, calibration),
        score_users=scored.impressions.people,
    ).save(folder)


def spread(count: int) -> np.ndarray:
    """Rows from the first to the last one, at most `_ROWS`."""
    rows = np.linspace(0, count - 1, min(count, _ROWS))
    return np.unique(rows.astype(np.int64))


def as_rows(dataset: Dataset) -> list[Row]:
    """Rows as a client would send them, one by one."""
    rows: list[Row] = []
    for begin in range(0, len(dataset), _AT_ONCE):
        some = np.arange(begin, min(begin + _AT_ONCE, len(dataset)))
        request = replay(dataset, some)
        columns = {name: values.tolist() for name, values in request.items()}
        rows += [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]
    return rows


def _scores(
    ranker: AdRanker, rows: Dataset, calibration: Calibration | None
) -> np.ndarray | None:
    """What is answered as `score`, float [m]; None without rows."""
    if not len(rows):
        return None
    predicted = ranker.predict(rows.batches(4096), verbose=0)
    scores = Scores(ranker, rows.schema.negatives_kept, calibration)
    codes = None if calibration is None else calibration.codes_of(rows)
    logits = {task: tf.constant(z) for task, z in predicted.items()}
    answer = scores.answer(scores.corrected(logits, codes))
    return answer["score"].numpy().astype(np.float64)
