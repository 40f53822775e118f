import numpy as np

from tests.layers.features.specs import spec
from tfadrec.core.door import tf
from tfadrec.towers import AdTower, TowerEnsemble

SPEC = {
    "num_ads": 9,
    "features": [
        spec("brand", "category", num_codes=4),
        spec("price", "number"),
        spec("text", "vector", width=5),
    ],
}


def test_each_tower_has_its_own_part_of_everything():
    rows = tf.constant([[1, 2, 3], [9, 0, 1]])
    towers = []
    for seed in range(3):
        tower = AdTower(SPEC, 8, text_rank=2, category="brand", name="tower")
        tower(rows)
        random, tables = np.random.default_rng(seed), np.random.default_rng(9)
        for weight in tower.trainable_variables:
            weight.assign(random.normal(size=weight.shape))
        for weight in tower.non_trainable_variables:
            values = tables.integers(0, 4, size=weight.shape)
            weight.assign(tf.cast(values, weight.dtype))
        tower.text_space.appeal.assign(random.normal(size=5))
        towers.append(tower)
    ensemble = TowerEnsemble(towers)
    columns = ensemble.columns(rows)
    for joined in (ensemble(rows), ensemble.encode_columns(columns)):
        for tower, found in zip(towers, ensemble.split(joined), strict=True):
            wanted = tower(rows)
            assert set(found) == set(wanted)
            for name, values in wanted.items():
                np.testing.assert_allclose(
                    found[name], values, rtol=1e-5, atol=1e-5, err_msg=name
                )
    wanted = ("text_appeal", "text_query", "vector")
    for name in wanted:
        assert not np.allclose(towers[0](rows)[name], towers[1](rows)[name])
