"""Under XLA, as on a TPU, no shape of a training step depends on values."""

import dataclasses
import re

import numpy as np
import pytest

from tests.cases.text import BERT
from tests.data import rich_dataset
from tests.training import small
from tfadrec import layers, models, training
from tfadrec.core.door import tf
from tfadrec.data import open_dataset
from tfadrec.data.tokens import Tokens
from tfadrec.optimizers import LazyAdam
from tfadrec.runs.sections import classes_of

#: A size that XLA knows a bound of alone, as in f32[<=11,5].
_BOUNDED = re.compile(r"\[[\d,]*<=[^\]]*\]")
#: Of an encoder that searches by kind, and of those whose widths have to fit.
ENCODERS = {
    name: {"num_heads": 2} if name in ("SIM", "TargetAttention") else {}
    for name in classes_of("encoder")
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Features of all kinds, and histories of four events."""
    made = rich_dataset.make(tmp_path_factory.mktemp("rich"), requests=60)
    return made.with_history_length(4)


def compiled(model, batch):
    """The program that XLA is given for a step, as text."""
    model.compile(LazyAdam(1e-3), jit_compile=True)
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, jit_compile=True)
    return step.experimental_get_compiler_ir(batch)(stage="hlo")


def test_what_is_looked_for():
    """`tf.unique` gives as many as there are."""
    program = tf.function(lambda rows: tf.unique(rows).y, jit_compile=True)
    text = program.experimental_get_compiler_ir(tf.constant([3, 3]))("hlo")
    assert _BOUNDED.search(text)


def test_all_batches_of_a_training_have_one_shape(dataset):
    batches = dataset.batches(50, seed=0)
    shapes = [spec.shape for spec in tf.nest.flatten(batches.element_spec)]
    assert len(shapes) > 20
    assert all(shape.is_fully_defined() for shape in shapes)
    # 180 rows: three batches of a pass, and the first ones of the next.
    for batch in batches.take(5):
        assert [part.shape for part in tf.nest.flatten(batch)] == shapes


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "DIN" else pytest.mark.slow)
        for name in ENCODERS
    ],
)
def test_a_step_of_a_ranker(dataset, name):
    encoder = getattr(layers, name)(**ENCODERS[name], name="encoder")
    tower = {"width": 4, "category": "brand"}
    ranker = models.AdRanker.for_dataset(
        dataset, encoder, ad_tower=tower, hidden_units=(4,)
    )
    ranker.build()
    batch = next(iter(dataset.batches(8, seed=0)))
    assert not _BOUNDED.search(compiled(ranker, batch))


def test_a_table_that_is_read_by_hash():
    """The shape of what is learned of users does not depend on them."""
    rows = open_dataset(small.world()).with_history_length(4)
    ids = {"class": "HashedIdEmbedding", "buckets": 7}
    ranker = training.build_ranker(small.config(user_tower={"ids": ids}), rows)
    batch = next(iter(rows.with_user_keys().batches(8, seed=0)))
    assert not _BOUNDED.search(compiled(ranker, batch))


def test_rows_that_are_read_twice_are_moved_once():
    """Where fewer rows than places are read, the rest changes nothing."""
    start = np.arange(12, dtype=np.float32).reshape(6, 2)
    found = []
    for is_compiled in (False, True):
        table = tf.Variable(start)
        optimizer = LazyAdam(0.1, weight_decay=0.5)
        optimizer.build([table])

        def step(rows, table=table, optimizer=optimizer):
            gradient = tf.IndexedSlices(tf.ones([5, 2]), rows, [6, 2])
            optimizer.apply_gradients([(gradient, table)])

        step = tf.function(step, jit_compile=is_compiled)
        for rows in ([4, 4, 4, 4, 4], [5, 2, 5, 2, 5], [0, 1, 2, 3, 4]):
            step(tf.constant(rows))
        found.append([v.numpy() for v in (table, *optimizer.variables[1:])])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_step_of_a_retriever(dataset):
    retriever = models.AdRetriever.for_dataset(dataset, ad_tower={"width": 4})
    retriever.build()
    batch = next(iter(dataset.batches(8, seed=0)))
    assert not _BOUNDED.search(compiled(retriever, batch))


def test_a_step_that_tunes_a_language_model(dataset):
    """Each text is as long as the catalogue's longest."""
    random = np.random.default_rng(0)
    texts = [
        random.integers(1, 50, length).tolist()
        for length in random.integers(0, 6, len(dataset.catalogue))
    ]
    catalogue = dataclasses.replace(
        dataset.catalogue, tokens=Tokens.from_lists(texts)
    )
    rows = dataset.with_catalogue(catalogue)
    ranker = models.AdRanker.for_dataset(
        rows,
        layers.DIN((4,), name="encoder"),
        text=layers.BertAdEncoder(BERT, tuning="full", name="text"),
        ad_tower={"width": 6},
        hidden_units=(8,),
    )
    ranker.build()
    batch = next(iter(rows.batches(8, seed=0)))
    assert not _BOUNDED.search(compiled(ranker, batch))
