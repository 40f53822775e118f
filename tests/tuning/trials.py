"""Trials without training: a score that the settings tell by themselves."""

import importlib
import json

SPACE = """
encoder: {class: DIN}
ad_tower: {width: {choice: [4, 8, 12]}}
optimizer:
  class: LazyAdam
  learning_rate: {choice: [0.001, 0.01, 0.1]}
fit: {epochs: 3}
"""


def score(config, seed=0):
    """The larger, the better: width 12 and a rate of 0.01 are best."""
    rate = config["optimizer"]["learning_rate"]
    best = 0.5 + config["ad_tower"]["width"] / 100 - abs(rate - 0.01)
    return best + seed / 1000


class Trials:
    """Stands for `run_trial`, and notes what it was asked."""

    def __init__(self, monkeypatch, fail=lambda number, task: None):
        self.tasks, self.folders, self.promoted = [], [], []
        self._fail = fail
        for module in ("tune", "finalists"):
            monkeypatch.setattr(
                importlib.import_module(f"tfadrec.tuning.{module}"),
                "run_trial",
                self,
            )

    def __call__(self, folder, task, promoted=None, watch=None):
        import yaml

        config = yaml.safe_load(task["config"])
        self.tasks.append(task)
        self.folders.append(folder)
        self.promoted.append(promoted)
        folder.mkdir(parents=True, exist_ok=True)
        error = self._fail(len(self.tasks), config)
        if isinstance(error, BaseException):
            raise error
        epochs = task["until"] or 3
        value = score(config, config["fit"].get("seed", 0))
        metrics = {
            "loss": 1.0,
            "val_auc": value - (3 - epochs) / 1000,
            "val_gauc": value,
            "val_log_loss": 1 - value,
        }
        result = error or {
            "metrics": metrics,
            "best_epoch": epochs,
            "history": [metrics] * epochs,
        }
        return json.loads(json.dumps({**result, "seconds": 1.0}))
