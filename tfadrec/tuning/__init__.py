"""keras-tuner for models of tf_keras, under its own names and arguments.

from tfadrec import tuning

def build(hp):
    units = hp.Int("units", 16, 128, step=16)
    ...

tuner = tuning.Hyperband(build, objective="val_loss", directory="sweeps")
tuner.search(rows, validation_data=others)
best = tuner.get_best_models()[0]
"""

from tfadrec.tuning.door import import_keras_tuner

_keras_tuner = import_keras_tuner()

BayesianOptimization = _keras_tuner.BayesianOptimization
GridSearch = _keras_tuner.GridSearch
HyperModel = _keras_tuner.HyperModel
HyperParameters = _keras_tuner.HyperParameters
Hyperband = _keras_tuner.Hyperband
Objective = _keras_tuner.Objective
RandomSearch = _keras_tuner.RandomSearch

__all__ = [
    "BayesianOptimization",
    "GridSearch",
    "HyperModel",
    "HyperParameters",
    "Hyperband",
    "Objective",
    "RandomSearch",
]
