"""A small sweep of rankers, which a test and another process make alike."""

import hashlib
import pathlib

from tests.training import small
from tfadrec import tuning
from tfadrec.data import open_dataset
from tfadrec.training.saved_state import read_history
from tfadrec.tuning.objective import with_monitor

TUNERS = {
    "RandomSearch": {"max_trials": 2},
    "BayesianOptimization": {"max_trials": 3, "num_initial_points": 2},
    "Hyperband": {"max_epochs": 3, "factor": 3, "hyperband_iterations": 1},
    "GridSearch": {"max_trials": 2},
}
SPACE = small.YAML.replace(
    "learning_rate: 0.01", "learning_rate: {choice: [0.003, 0.01, 0.03, 0.1]}"
).replace("epochs: 4", "epochs: 3")


def tuner(name, folder, world):
    model = tuning.AdRankerHyperModel(
        open_dataset(world),
        pathlib.Path(folder) / "fits",
        tuning.SearchSpace.from_yaml(SPACE),
        objective="val_gauc",
    )
    return getattr(tuning, name)(
        model,
        objective=model.objective,
        directory=folder,
        project_name=name,
        seed=1,
        **TUNERS[name],
    )


def history(folder, rate):
    """What was trained at a learning rate, in all rounds together."""
    config = small.config(optimizer={"learning_rate": rate}, fit={"epochs": 3})
    text = with_monitor(config, "val_gauc").to_yaml()
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return read_history(pathlib.Path(folder) / "fits" / key)
