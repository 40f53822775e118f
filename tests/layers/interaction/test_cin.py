"""CIN against its formula, entry by entry."""

import numpy as np
import pytest

from tests.layers.interaction.weights import filled, normal
from tfadrec.layers import CIN


def test_the_formula():
    layer = CIN((4, 2))
    weights = filled(layer, [1, 3, 5])
    fields = normal(2, 3, 5)  # [B, N, D]
    for b in range(2):
        first = maps = fields[b]  # [N, D]
        expected = []
        for k, units in enumerate((4, 2)):
            kernel = weights[f"kernel_{k}"].reshape(len(maps), 3, units)
            fresh = np.zeros([units, 5])
            for h, i, j in np.ndindex(units, len(maps), 3):
                fresh[h] += kernel[i, j, h] * maps[i] * first[j]
            maps = fresh
            expected += maps.sum(axis=1).tolist()
        np.testing.assert_allclose(
            layer(fields)[b], expected, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("hidden_units", [(), (4, 0)])
def test_bad_widths(hidden_units):
    with pytest.raises(ValueError, match=r"widths >= 1.*Received: hidden_un"):
        CIN(hidden_units)
