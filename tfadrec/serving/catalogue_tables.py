"""What the ad tower makes of all ads, worked out once."""

from collections.abc import Iterator

import numpy as np

from tfadrec.core.door import tf
from tfadrec.data.catalogue import Catalogue
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.towers import AdTower, TowerEnsemble

# Ads that are encoded at a time, and those whose text is read as well.
_ROWS, _TEXTS = 65536, 1024


def catalogue_tables(
    ranker: Ranker, more: Catalogue | None
) -> dict[str, np.ndarray]:
    """The tower's parts for all of its rows, and for more ads behind them.

    Args:
      ranker: a built ranker.
      more: ads that have `columns_read`; they take the unknown ad's id.

    Returns:
      Arrays [N + 1 + M, ...] by the names of `AdTower.parts`.
    """
    total = ranker.ad_tower.num_rows + len(more or ())
    tables: dict[str, np.ndarray] = {}
    start = 0
    for part in _parts(ranker.ad_tower, more):
        for name, values in part.items():
            encoded = np.asarray(values)
            if name not in tables:
                shape = (total, *encoded.shape[1:])
                tables[name] = np.empty(shape, encoded.dtype)
            tables[name][start : start + len(encoded)] = encoded
        start += len(encoded)
    return tables


def columns_read(tower: AdTower | TowerEnsemble) -> list[str]:
    """The columns of the catalogue that a tower reads, by name."""
    return sorted(set(tower.columns(tf.constant([0]))) - set(tower.of_id))


def copy_vectors(tower: AdTower | TowerEnsemble) -> np.ndarray:
    """The vectors of the copy of all ads of a tower that reads some, by row.

    Args:
      tower: built; of one that reads copy with an encoder of its own they are
        what that makes of the tokens.

    Returns:
      float32 [N + 1, W]; row 0 is that of the unknown ad.
    """
    read = tf.function(
        lambda rows: tower.columns(rows)["text"],
        input_signature=[tf.TensorSpec([None], tf.int32)],
        autograph=False,
    )
    return np.concatenate([read(rows).numpy() for rows in _blocks(tower)])


def _blocks(tower: AdTower | TowerEnsemble) -> Iterator[tf.Tensor]:
    """The rows of a tower, as many at a time as it can encode."""
    step = _ROWS if tower.text is None else _TEXTS
    for start in range(0, tower.num_rows, step):
        yield tf.range(start, min(start + step, tower.num_rows))


def _parts(
    tower: AdTower | TowerEnsemble, more: Catalogue | None
) -> Iterator[dict[str, tf.Tensor]]:
    encode = tf.function(
        tower,
        input_signature=[tf.TensorSpec([None], tf.int32)],
        autograph=False,
    )
    for rows in _blocks(tower):
        yield encode(rows)
    if more is None:
        return
    unknown = tower.columns(tf.constant([0]))
    for start in range(0, len(more), _ROWS):
        part = slice(start, start + _ROWS)
        count = len(more.ad_ids[part])
        yield tower.encode_columns(
            {
                name: tf.repeat(value, count, axis=0)
                if name in tower.of_id
                else tf.constant(more.columns[name][part])
                for name, value in unknown.items()
            }
        )
