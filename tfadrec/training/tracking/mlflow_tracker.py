"""MLflow: a database of runs, such as an SQLite file."""

import os

from tfadrec.training.tracking.tracker import Tracker

#: Of the value of a setting.
_MOST_CHARACTERS = 500


class MlflowTracker(Tracker):
    """Keeps runs in a store of MLflow. Needs `pip install 'tfadrec[mlflow]'`.

    Args:
      uri: of the store, such as `sqlite:///mlflow.db`.
      experiment: the runs' experiment, which is made where there is none.
    """

    name = "mlflow"

    def __init__(self, uri: str, experiment: str) -> None:
        self._uri, self._experiment = uri, experiment

    def begin(self, run, settings, known):
        """See `Tracker.begin`."""
        # MLflow tells its makers how it is used, unless it is told not to.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=self._uri)
        if known is not None:
            self._id = known
            self._client.update_run(known, status="RUNNING")
            return known
        found = self._client.get_experiment_by_name(self._experiment)
        experiment = (
            self._client.create_experiment(self._experiment)
            if found is None
            else found.experiment_id
        )
        made = self._client.create_run(experiment, run_name=run)
        self._id = made.info.run_id
        for name, value in settings.items():
            text = str(value)[:_MOST_CHARACTERS]
            self._client.log_param(self._id, name, text)
        return self._id

    def log(self, epoch, metrics):
        """See `Tracker.log`."""
        for name, value in metrics.items():
            self._client.log_metric(self._id, name, value, step=epoch)

    def show(self, ranker, dataset):
        """Nothing: what a run holds stays in its folder."""

    def end(self, *, has_failed):
        """See `Tracker.end`."""
        status = "FAILED" if has_failed else "FINISHED"
        self._client.set_terminated(self._id, status=status)
