"""A small sweep, which a test and another process make alike."""

import numpy as np

from tfadrec import layers, tuning
from tfadrec.core.door import keras

TUNERS = {
    "RandomSearch": {"max_trials": 3},
    "BayesianOptimization": {"max_trials": 4, "num_initial_points": 2},
    "Hyperband": {"max_epochs": 3, "factor": 3, "hyperband_iterations": 1},
    "GridSearch": {"max_trials": 4},
}


def rows():
    random = np.random.default_rng(0)
    inputs = {
        "events": random.normal(size=(64, 5, 4)).astype(np.float32),
        "mask": random.random((64, 5)) < 0.7,
        "target": random.normal(size=(64, 1, 4)).astype(np.float32),
    }
    labels = (inputs["target"][:, 0, 0] > 0).astype(np.float32)
    return inputs, labels


def build(hp):
    inputs = {
        "events": keras.Input([5, 4]),
        "mask": keras.Input([5], dtype="bool"),
        "target": keras.Input([1, 4]),
    }
    encoder = layers.TargetAttention(num_heads=hp.Choice("heads", [1, 2]))
    interest = keras.layers.Flatten()(encoder(inputs))
    own = keras.layers.Flatten()(inputs["target"])
    logits = keras.layers.Dense(1)(keras.layers.Concatenate()([interest, own]))
    model = keras.Model(inputs, logits)
    rate = hp.Float("rate", 1e-3, 1e-1, step=10, sampling="log")
    model.compile(
        keras.optimizers.SGD(rate),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    return model


def tuner(name, folder, overwrite):
    return getattr(tuning, name)(
        build,
        objective="val_loss",
        directory=folder,
        project_name=name,
        overwrite=overwrite,
        seed=0,
        **TUNERS[name],
    )


def best(made):
    """The best trial's score, and that of its model."""
    model = made.get_best_models()[0]
    trial = made.oracle.get_best_trials()[0]
    return trial.score, model.evaluate(*rows(), verbose=0)
