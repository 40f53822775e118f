"""A ranker of everything, by `training.fit`, under precisions and strategies.

    python -m tests.strategy_runs [CELL ...]

trains with every default on (dropouts, features of all entities, text that is
tuned and matched), is resumed after an epoch, saved, exported as a bundle and
asked. Cells and lines are those of `tests.precision_cells`, which tries all
kinds of features: here one or two of an entity save half of the time.
"""

import dataclasses
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np

from tests.cases.text import BERT
from tests.data import dataset_folder, rich_dataset
from tests.precision_cells import (
    POLICIES,
    STRATEGIES,
    assert_close,
    begin,
    strategy_of,
)
from tfadrec import data, layers, models, optimizers, serving, training
from tfadrec.core.door import keras
from tfadrec.data.tokens import Tokens
from tfadrec.serving import parity

#: Cell -> precision and strategy.
RUNS = {
    f"training.fit/{policy}/{name}": (policy, name)
    for policy in POLICIES
    for name in STRATEGIES
}
#: Of each entity.
FEATURES = ("brand", "price", "age", "dwell", "device", "hour", "bid", "slot")


def run(policy: str, name: str, folder: pathlib.Path) -> None:
    """Fits, resumes, saves, reloads and exports."""
    keras.mixed_precision.set_global_policy(policy)
    dataset = _dataset(folder / "data")
    train, valid, _ = data.split_by_time(dataset, valid=0.2, test=0.2)

    def fit(ranker, out, until=None):
        history = training.fit(
            ranker,
            train,
            valid,
            folder / out,
            batch_size=16,
            epochs=2,
            patience=9,
            until=until,
            progress=False,
        )
        assert np.isfinite([e["loss"] for e in history]).all(), history
        return history

    first = _ranker(dataset, name)
    fit(first, "first", until=1)
    shutil.copytree(folder / "first", folder / "resumed")
    ranker = _ranker(dataset, name)
    resumed = fit(ranker, "resumed")
    # The same object goes on with all that it has, saved or not.
    for one, other in zip(resumed, fit(first, "first"), strict=True):
        assert np.isclose(one["loss"], other["loss"], rtol=1e-3), (one, other)
    inputs, *_ = next(iter(valid.batches(8)))
    expected = ranker(inputs)["clicked"].numpy()
    ranker.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras")
    found = loaded(inputs)["clicked"].numpy()
    assert_close([found], [expected], policy)
    bundle = serving.export_bundle(ranker, valid, folder / "bundle")
    ask = serving.open_bundle(bundle)["serving_default"]
    found = ask(**serving.replay(valid, np.arange(8)))["logits"]
    assert_close([found], [expected], policy)


def _ranker(dataset, name):
    keras.utils.set_random_seed(0)
    with strategy_of(name).scope():
        ranker = models.AdRanker.for_dataset(
            dataset,
            layers.DIN((4,), name="encoder"),
            text=layers.BertAdEncoder(BERT, tuning="full", name="text"),
            ad_tower={"width": 6},
            hidden_units=(8,),
        )
        ranker.build()
        ranker.compile(optimizers.LazyAdam(0.01))
    return ranker


def _dataset(folder):
    """With tokens as a tokenizer would give them."""
    features = [f for f in rich_dataset.FEATURES if f.name in FEATURES]
    schema = rich_dataset.schema(features=tuple(features))
    dataset_folder.write(folder, rich_dataset.tables(), schema)
    dataset = data.open_dataset(folder).with_history_length(4)
    random = np.random.default_rng(0)
    texts = [
        random.integers(1, 50, n).tolist()
        for n in random.integers(0, 6, len(dataset.catalogue))
    ]
    tokens = Tokens.from_lists(texts)
    catalogue = dataclasses.replace(dataset.catalogue, tokens=tokens)
    return dataset.with_catalogue(catalogue)


def main(wanted: list[str]) -> None:
    """See the module."""
    begin()
    parity.LATENCY_CALLS = 1
    for cell, (policy, name) in RUNS.items():
        if wanted and not cell.startswith(tuple(wanted)):
            continue
        said = ""
        with tempfile.TemporaryDirectory() as scratch:
            try:
                run(policy, name, pathlib.Path(scratch))
            except Exception as error:  # whatever it is, the table says so
                line = " ".join(str(error).split())
                said = f"{type(error).__name__}: {line[-400:]}"
        print(json.dumps([cell, said]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
