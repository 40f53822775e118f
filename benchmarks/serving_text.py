"""What matching texts costs a slate, in TensorFlow's own loader.

    python benchmarks/serving_text.py          # T = 50
    python benchmarks/serving_text.py 100      # another T

The ranker and the rows of `serving.py`, with text vectors of 384 floats beside
the ids; with `text_matching`, as by default, and without. Both bundles are in
one process, which never imports TensorFlow, and their calls take turns, so that
other work on the machine meets both alike.
"""

import os
import pathlib
import sys
import tempfile

import behavior
import numpy as np
import serving
from machine import describe
from take_turns import take_turns

_WIDTH, _CALLS, _SEED = 384, 1000, 0
_WAYS = ("without", "with")


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    length = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print(describe())
    with tempfile.TemporaryDirectory() as scratch:
        took, _ = take_turns(export(pathlib.Path(scratch), length), _CALLS)
    print(
        f"One user, {serving.CANDIDATES} candidates, T = {length}, {_CALLS} "
        "calls of each in turn, ms"
    )
    percentiles = np.percentile(took, [10, 50, 99], axis=1)
    for name, (low, middle, high) in zip(_WAYS, percentiles.T, strict=True):
        print(f"{name:8} 10th {low:.2f}  50th {middle:.2f}  99th {high:.2f}")
    ratios = percentiles[:, 1] / percentiles[:, 0]
    told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"with / without at the 10th, 50th and 99th: {told}")


def export(scratch: pathlib.Path, length: int) -> list[pathlib.Path]:
    """Both bundles, in the order of `_WAYS`."""
    random = np.random.default_rng(_SEED)
    dataset = serving.make_dataset(length)
    ads = len(dataset.catalogue)
    # Sentence vectors all point in much the same direction.
    vectors = 0.5 + random.standard_normal((ads, _WIDTH), np.float32)
    dataset = dataset.with_catalogue(
        dataset.catalogue.with_vectors("text", vectors)
    )
    return [
        serving.export_slate(
            _ranker(dataset, length, matches=way == "with"),
            dataset,
            scratch / way,
        )
        for way in _WAYS
    ]


def _ranker(dataset, length: int, matches: bool):
    from tfadrec import layers, models
    from tfadrec.core.door import keras

    keras.utils.set_random_seed(_SEED)
    ranker = models.AdRanker.for_dataset(
        dataset,
        layers.DIN(),
        match_texts=matches,
        ad_tower={"width": 32},
        user_tower={"max_length": length},
        hidden_units=behavior.HIDDEN,
        cross_layers=0,
    )
    ranker.build()
    random = np.random.default_rng(_SEED)
    for variable in ranker.trainable_variables:
        variable.assign(random.normal(0, 0.05, variable.shape))
    return ranker


if __name__ == "__main__":
    main()
