"""Runs measured on the same rows, for `tfadrec evaluate`."""

from typing import Any

import numpy as np

from tfadrec.core.errors import InputError


class Measured:
    """Runs on the same rows, of which only the first one's rows are kept."""

    def __init__(
        self,
        data: str | None,
        allow_import: tuple[str, ...],
        explained: bool,
        columns: tuple[str, ...],
        sliced: tuple[str, ...],
    ) -> None:
        self._data, self._allow_import = data, allow_import
        self._explained = explained
        self._columns, self._sliced = columns, sliced
        self.evaluations: dict[str, Any] = {}
        self.about: dict[str, Any] = {}
        self.metrics: dict[str, str] = {}
        self._train: Any = None
        self._test: Any = None
        self._tasks: dict[str, bool] = {}
        self._vectors: Any = None

    @property
    def test(self):
        """The rows."""
        return self._test

    def load(self, name: str) -> Any:
        """Reads a run, and looks whether it can be measured as is asked.

        Raises:
          InputError: where it has no test rows, or others than the first run,
            or a column of `--fairness` or `--slice` is none of theirs, or it
            has no clicks to choose by.
        """
        from tfadrec import training
        from tfadrec.evaluation.groups import groups_of

        run = training.load_run(
            name, data=self._data, allow_import=self._allow_import
        )
        if not len(run.test):
            raise InputError(
                "a run is measured on rows that it has not seen. Received: "
                f"{name}, which was fitted on all rows of its dataset. Fit it "
                "on a part, as of data.split_by_time."
            )
        if self._test is None:
            self._train, self._test = run.learned, run.test
        rows, others = run.test.impressions, self.test.impressions
        if not _are_same(rows, others):
            raise InputError(
                "runs are compared on the same test rows. Received: "
                f"{len(self.test)} rows of {next(iter(self.evaluations))} and "
                f"{len(run.test)} others of {name}: their settings `data` "
                "split the dataset in different ways. Evaluate them one by one."
            )
        for column in (*self._columns, *self._sliced):
            groups_of(run.test, column)
        if self._columns and "clicked" not in run.ranker.task_losses:
            raise InputError(
                "--fairness is of choices by clicks. Received: "
                f"{name}, which predicts {', '.join(run.ranker.task_losses)}. "
                "Leave it out, or name a model of clicks."
            )
        return run

    def compared(self, run: Any) -> tuple[list[str], list[str]]:
        """The metrics of a run's first task, and the parts of its rows.

        They are what runs are compared by.
        """
        from tfadrec.evaluation.parts import slices_of

        first = next(iter(run.ranker.task_losses.values()))
        metrics = ["auc", "gauc", "log_loss"] if first.is_binary else ["rmse"]
        parts = slices_of(run.test, run.learned, self._sliced)
        return metrics, ["all", *parts]

    def add(self, name: str, run: Any) -> None:
        """Measures a run that `load` has read."""
        from tfadrec import evaluation, report

        self._tasks |= {
            t: loss.is_binary for t, loss in run.ranker.task_losses.items()
        }
        if self._vectors is None:
            self._vectors = run.ranker.ad_tower.vectors("text")
        self.metrics[name] = run.monitor
        self.evaluations[name] = evaluation.evaluate(
            run.ranker,
            run.test,
            train=run.learned,
            calibration=run.calibration,
            columns=self._sliced,
        )
        self.about[name] = report.about_run(
            run, self.evaluations[name], explained=self._explained
        )

    def baselines(self):
        """The baselines of all tasks; text vectors are those of a ranker."""
        from tfadrec import evaluation

        train, test = self._with_vectors()
        return evaluation.evaluate_baselines(train, test, self._tasks)

    def differences(self, models: dict[str, list[str]], by: Any):
        """Of every model and the first one.

        Args:
          models: name -> its runs.
          by: `user` or `request`.
        """
        from tfadrec import evaluation

        if len(models) < 2:
            return []
        return evaluation.differences(
            {
                name: [self.evaluations[run] for run in runs]
                for name, runs in models.items()
            },
            self.test,
            train=self._train,
            columns=self._sliced,
            by=by,
        )

    def choices(self, baselines, **labels):
        """What the first ad of each request brings, by model.

        Args:
          baselines: name -> evaluation.
          **labels: see `evaluation.choices`.
        """
        from tfadrec import evaluation

        train, test = self._with_vectors()
        models = {**baselines, **self.evaluations}
        return evaluation.choices(models, test, train, **labels)

    def _with_vectors(self):
        """Training and test rows, with the text vectors of a ranker."""
        catalogue = self.test.catalogue
        if self._vectors is not None:
            catalogue = catalogue.with_vectors("text", self._vectors)
        return [r.with_catalogue(catalogue) for r in (self._train, self.test)]

    def facts(self) -> dict[str, Any]:
        """Of the rows."""
        from tfadrec import evaluation

        return evaluation.rows_facts(self.test, next(iter(self._tasks)))


def _are_same(rows, others) -> bool:
    """Whether impressions of one dataset are the same."""
    return all(
        np.array_equal(getattr(rows, name), getattr(others, name))
        for name in ("times", "users", "ads")
    )
