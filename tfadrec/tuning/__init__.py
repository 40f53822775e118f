"""keras-tuner for this stack: settings that are chosen, and how.

    from tfadrec import tuning

    found = tuning.tune("data/ml", "sweeps/a", objective="val_auc")

searches for a ranker's settings with a process for each trial. keras-tuner's
own tuners are here under their names and arguments, for any tf_keras model:

    tuner = tuning.Hyperband(build, objective="val_loss", directory="sweeps")
    tuner.search(rows, validation_data=others)
    best = tuner.get_best_models()[0]
"""

from tfadrec.tuning.ad_ranker_hyper_model import AdRankerHyperModel
from tfadrec.tuning.budget import Budget
from tfadrec.tuning.door import keras_tuner
from tfadrec.tuning.leaderboard import Leaderboard
from tfadrec.tuning.search import Search
from tfadrec.tuning.search_space import SearchSpace
from tfadrec.tuning.tune import tune

BayesianOptimization = keras_tuner.BayesianOptimization
GridSearch = keras_tuner.GridSearch
HyperModel = keras_tuner.HyperModel
HyperParameters = keras_tuner.HyperParameters
Hyperband = keras_tuner.Hyperband
Objective = keras_tuner.Objective
RandomSearch = keras_tuner.RandomSearch

__all__ = [
    "AdRankerHyperModel",
    "BayesianOptimization",
    "Budget",
    "GridSearch",
    "HyperModel",
    "HyperParameters",
    "Hyperband",
    "Leaderboard",
    "Objective",
    "RandomSearch",
    "Search",
    "SearchSpace",
    "tune",
]
