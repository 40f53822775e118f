"""Vectors of ad copy that a pipeline made are those of this process."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data import tiny_encoder
from tfadrec.data import encode_catalogue
from tfadrec.data.beam.beam_runner import BeamRunner
from tfadrec.data.beam.encoding import encode_in
from tfadrec.data.copy import text_vectors

pytest.importorskip("apache_beam")
pytestmark = pytest.mark.filterwarnings("default")
LOADED = []


def load():
    LOADED.append("")
    return tiny_encoder.tokenizer(), tiny_encoder.encoder()


def test_vectors_are_equal_and_a_worker_loads_once(tmp_path, monkeypatch):
    monkeypatch.setattr(text_vectors, "_TEXTS_PER_PART", 2)
    titles = ["a b", "c", "", "d e f", "a a", "h"]
    ads = pa.table({"ad_id": range(6), "title": titles})
    pq.write_table(ads, tmp_path / "ads.parquet")

    def encoded(name, **settings):
        found = encode_catalogue(
            tmp_path / "ads.parquet",
            tmp_path / name,
            tiny_encoder.tokenizer(),
            tiny_encoder.encoder(),
            cache=tmp_path / f"cache of {name}",
            progress=False,
            **settings,
        )
        assert found["encoded"] == 5
        return np.load(found["npy"])

    here = encoded("here")
    with BeamRunner() as runner:
        there = encoded("there", encode_parts=encode_in(runner, load))
    np.testing.assert_array_equal(there, here)
    assert len(np.unique(here, axis=0)) == 6
    assert len(LOADED) == 1
    # Nothing but vectors is left in the cache.
    (kept,) = (tmp_path / "cache of there").iterdir()
    assert {path.suffix for path in kept.iterdir()} == {".parquet"}
