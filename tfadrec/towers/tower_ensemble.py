"""The ad towers of several rankers, asked as one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.layers.text_matching import TextSpace
from tfadrec.towers.ad_tower import AdTower

#: What each tower makes of an ad by weights of its own, wide in the last axis.
_WIDE = ("vector", "fields", "text_key", "text_query", "id")
#: The same with one number for an ad.
_SINGLE = ("bias", "text_appeal")


class TowerEnsemble:
    """Towers over one catalogue, whose parts lie side by side.

    It is asked as an `AdTower` is. What the towers make of an ad by weights of
    their own stands side by side in the last axis: `vector` [..., k D],
    `fields` [..., N, k D], `bias` [..., k]. What the catalogue and the rows
    tell (columns, text vectors, factors) is the same for all and stands there
    once.

    Args:
      towers: k >= 1 built or unbuilt `AdTower`s of one configuration, without
        a language model of their own.
    """

    text = None

    def __init__(self, towers: Sequence[AdTower]) -> None:
        self._towers = list(towers)

    @property
    def width(self) -> int:
        """Of all vectors together, k D."""
        return sum(tower.width for tower in self._towers)

    @property
    def num_rows(self) -> int:
        """See `AdTower`."""
        return self._towers[0].num_rows

    @property
    def text_space(self) -> TextSpace | None:
        """That of the first tower, whose mean all have."""
        return self._towers[0].text_space

    @property
    def kind(self) -> tuple[str, ...]:
        """See `AdTower`."""
        return self._towers[0].kind

    @property
    def of_id(self) -> tuple[str, ...]:
        """See `AdTower`."""
        return self._towers[0].of_id

    @property
    def history_parts(self) -> tuple[str, ...]:
        """See `AdTower`."""
        return self._towers[0].history_parts

    @property
    def candidate_parts(self) -> tuple[str, ...]:
        """See `AdTower`."""
        return self._towers[0].candidate_parts

    @property
    def features_read(self) -> list[dict[str, Any]]:
        """See `AdTower`."""
        return self._towers[0].features_read

    def pass_on(self, column: str) -> None:
        """See `AdTower`."""
        for tower in self._towers:
            tower.pass_on(column)

    def vectors(self, name: str) -> np.ndarray | None:
        """See `AdTower`."""
        return self._towers[0].vectors(name)

    def __call__(self, rows: tf.Tensor, training=None) -> dict[str, tf.Tensor]:
        """Rows [...] to the parts of all towers, side by side."""
        return _joined([tower(rows, training) for tower in self._towers])

    def columns(self, rows: tf.Tensor, training=None) -> dict[str, tf.Tensor]:
        """See `AdTower`; `id` and `bias` are side by side."""
        found = [tower.columns(rows, training) for tower in self._towers]
        return _joined(found)

    def encode_columns(
        self, columns: Mapping[str, tf.Tensor], training=None
    ) -> dict[str, tf.Tensor]:
        """See `AdTower`; `id` and `bias` are side by side."""
        return _joined(
            [
                tower.encode_columns(own, training)
                for tower, own in zip(
                    self._towers, self.split(columns), strict=True
                )
            ]
        )

    def encode(self, wanted, training=None) -> dict[str, dict[str, tf.Tensor]]:
        """See `AdTower`; the parts are side by side."""
        found = [tower.encode(wanted, training) for tower in self._towers]
        return {name: _joined([one[name] for one in found]) for name in wanted}

    def split(
        self, parts: Mapping[str, tf.Tensor]
    ) -> list[dict[str, tf.Tensor]]:
        """Parts that lie side by side, as each tower gave them."""
        each: list[dict[str, tf.Tensor]] = [{} for _ in self._towers]
        for name, values in parts.items():
            of_each = [values] * len(each)
            if name in _WIDE:
                of_each = tf.split(values, len(each), axis=-1)
            elif name in _SINGLE:
                of_each = tf.unstack(values, len(each), axis=-1)
            for own, value in zip(each, of_each, strict=True):
                own[name] = value
        return each


def _joined(found: Sequence[Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    """What each tower gave, side by side."""
    joined = dict(found[0])
    for name in joined:
        of_each = [one[name] for one in found]
        if name in _WIDE:
            joined[name] = tf.concat(of_each, axis=-1)
        elif name in _SINGLE:
            joined[name] = tf.stack(of_each, axis=-1)
    return joined
