"""What tastes are about, before the first step."""

import numpy as np

from tfadrec.layers.features.kinds import FIELDS, columns_of
from tfadrec.layers.features.traits import num_traits
from tfadrec.models.ad_ranker import AdRanker
from tfadrec.models.text_units import text_axes


def start_traits(
    ranker: AdRanker, ads: np.ndarray, counts: np.ndarray | None
) -> None:
    """Gives the traits of ads their axes.

    Each number of ads has a coordinate, and then each value of a category that
    many ads shown have, those of most rows first, as long as there are some.
    Traits of texts are the directions in which these differ most.

    Args:
      ranker: built and not yet trained.
      ads: int32 [n], of training rows.
      counts: [n] >= 0, how many rows each stands for; None for one.
    """
    tower = ranker.ad_tower
    if tower.text_traits:
        tower.text_axes.assign(text_axes(tower, tower.text_traits))
    if tower.traits is None:
        return
    shown = np.bincount(ads, counts, tower.num_rows)
    features = tower.traits.features
    axes, values = {}, []
    place = 0
    for feature in features:
        name, is_number = feature["name"], FIELDS[feature["kind"]].is_scalar
        codes = 1 if is_number else num_traits(feature) + 1
        axes[name] = np.zeros([codes, tower.num_traits], np.float32)
        if not is_number:
            found = _rows_of_codes(tower, feature, shown)
            values += [(found[code], name, code) for code in range(1, codes)]
        elif place < tower.num_traits:
            axes[name][0, place] = 1
            place += 1
    values = sorted(values, key=lambda value: -value[0])
    for (_, name, code), at in zip(
        values, range(place, tower.num_traits), strict=False
    ):
        axes[name][code, at] = 1
    tower.traits.start(axes)


def _rows_of_codes(tower, feature, shown):
    """How many rows have an ad with each code, [codes]."""
    (length,) = columns_of(feature)[feature["name"]][0] or (1,)
    codes = tower.codes(feature["name"], np.arange(tower.num_rows)).numpy()
    return np.bincount(
        codes.reshape(-1), np.repeat(shown, length), feature["num_codes"]
    )
