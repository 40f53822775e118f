"""DeepCTR's models of behaviour, on the arrays that the benchmarks make.

DeepCTR 0.9.4 is not among the requirements, because it asks for an old h5py:

    pip install --no-deps deepctr==0.9.4
"""

from collections.abc import Mapping

import numpy as np

from tfadrec.metrics import ranking

#: Width of each of DeepCTR's embeddings.
WIDTH = 16

#: What is not DeepCTR's default: DIEN is that of the paper, without the
#: auxiliary loss, which would need sampled histories.
_ARGUMENTS = {"DIN": {}, "BST": {}, "DIEN": {"gru_type": "AUGRU"}}


def make(
    name: str,
    sizes: Mapping[str, int],
    time: int,
    *,
    context: Mapping[str, int | None] | None = None,
    bags: Mapping[str, tuple[int, int]] | None = None,
    vectors: Mapping[str, np.ndarray] | None = None,
    optimizer="adagrad",
    **arguments,
):
    """A compiled DeepCTR model.

    Args:
      name: `DIN`, `DIEN` or `BST`.
      sizes: number of codes of `user`, of `ad`, and of each category of an ad.
      time: T.
      context: name -> number of codes, or None where it is numeric.
      bags: name -> number of codes, and how many a row has at most; the mean of
        their embeddings is read.
      vectors: name -> float [codes, D], given embeddings of ads, which stay.
      optimizer: any Keras optimiser.
      **arguments: of the model, for other values than DeepCTR's defaults.
    """
    prepare(name)
    import tf_keras as keras
    from deepctr import models
    from deepctr.feature_column import DenseFeat, SparseFeat, VarLenSparseFeat

    def ids(name, size):
        return SparseFeat(name, size, WIDTH, embedding_name=name)

    def given(name, table):
        start = keras.initializers.Constant(table)
        return SparseFeat(
            *(name, *table.shape),
            embeddings_initializer=start,
            embedding_name=name,
            trainable=False,
        )

    columns = [ids(name, size) for name, size in sizes.items()]
    columns += [given(name, table) for name, table in (vectors or {}).items()]
    of_ads = [column for column in columns if column.name != "user"]
    columns += [
        DenseFeat(k, 1) if size is None else SparseFeat(k, size, WIDTH)
        for k, size in (context or {}).items()
    ]
    columns += [
        VarLenSparseFeat(
            column._replace(name=f"hist_{column.name}"),
            maxlen=time,
            length_name="seq_length",
        )
        for column in of_ads
    ]
    columns += [
        VarLenSparseFeat(SparseFeat(k, size, WIDTH), width, "mean")
        for k, (size, width) in (bags or {}).items()
    ]
    model = getattr(models, name)(
        columns,
        [column.name for column in of_ads],
        **{**_ARGUMENTS[name], **arguments},
    )
    model.compile(optimizer, "binary_crossentropy")
    return model


def adam(rate: float, steps: int):
    """Adam at a rate that falls linearly to zero over some steps."""
    import tf_keras as keras

    return keras.optimizers.legacy.Adam(
        keras.optimizers.schedules.PolynomialDecay(
            rate, steps, end_learning_rate=0.0
        )
    )


def fit(
    model,
    train: tuple[Mapping[str, np.ndarray], np.ndarray],
    valid: tuple[Mapping[str, np.ndarray], np.ndarray],
    *,
    batch_size: int,
    epochs: int,
    patience: int,
    seed: int,
) -> list[float]:
    """Trains a model, and leaves it as it was after its best epoch.

    Args:
      model: as from `make`.
      train: inputs and labels; each epoch reads full batches, in another order.
      valid: the same of the rows whose AUC chooses the epoch.
      batch_size: rows of a step.
      epochs: at most.
      patience: epochs without a better AUC after which training ends.
      seed: of the orders.

    Returns:
      The AUC on the validation rows after each epoch.
    """
    order = np.random.default_rng(seed)
    kept = len(train[1]) // batch_size * batch_size
    weights, aucs = None, []
    for _ in range(epochs):
        rows = order.permutation(len(train[1]))[:kept]
        model.fit(
            {name: values[rows] for name, values in train[0].items()},
            train[1][rows],
            batch_size,
            verbose=0,
            shuffle=False,
        )
        aucs.append(ranking.auc(valid[1], logits(model, valid[0])))
        best = int(np.argmax(aucs))
        if best == len(aucs) - 1:
            weights = model.get_weights()
        if len(aucs) - 1 - best >= patience:
            break
    model.set_weights(weights)
    return aucs


def logits(model, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Logits of a model that gives probabilities, float64 [n]."""
    rates = model.predict(arrays, 4096, verbose=0)[:, 0].astype(np.float64)
    rates = np.clip(rates, 1e-7, 1 - 1e-7)
    return np.log(rates) - np.log1p(-rates)


def inputs(
    users: np.ndarray,
    ads: np.ndarray,
    history: np.ndarray,
    lengths: np.ndarray,
    categories: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """What a DeepCTR model reads; `categories` are columns of the catalogue."""
    found = {"user": users, "ad": ads, "hist_ad": history}
    for name, codes in categories.items():
        found[name], found[f"hist_{name}"] = codes[ads], codes[history]
    return {**found, "seq_length": lengths}


def prepare(name: str) -> None:
    """Puts back what TensorFlow 2.21 no longer has and DeepCTR's DIEN calls.

    It runs in graph mode only, as in DeepCTR's own example.
    """
    if name != "DIEN":
        return
    import tensorflow as tf
    from tensorflow.python.ops import (
        array_ops,
        cond,
        control_flow_assert,
        control_flow_ops,
        while_loop,
    )
    from tensorflow.python.util import nest

    tf.compat.v1.disable_eager_execution()
    array_ops.stack, array_ops.unstack = tf.stack, tf.unstack
    control_flow_ops.Assert = control_flow_assert.Assert
    control_flow_ops.while_loop = while_loop.while_loop
    control_flow_ops.cond = cond.cond
    nest.is_sequence = nest.is_nested
