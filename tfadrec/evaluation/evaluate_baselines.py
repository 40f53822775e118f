"""What the baselines make of the rows that a ranker is measured on."""

from collections.abc import Mapping

from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines import BASELINES
from tfadrec.evaluation.evaluate import measure
from tfadrec.evaluation.evaluation import Evaluation


@takes(train="dataset", dataset="dataset")
def evaluate_baselines(
    train: Dataset,
    dataset: Dataset,
    tasks: Mapping[str, bool] | None = None,
) -> dict[str, Evaluation]:
    """Fits every baseline that applies, and measures it.

    Args:
      train: the rows to fit on; with text vectors in the column `text` of the
        catalogue, where there are some.
      dataset: the rows to measure on, over the same catalogue and users.
      tasks: label -> whether it is 0 or 1; `clicked` by default.

    Returns:
      A baseline's name -> its evaluation, in the order of `BASELINES`.

    Raises:
      InputError: where the dataset is empty or lacks a label.
    """
    found = {}
    tasks = {"clicked": True} if tasks is None else tasks
    for kind in BASELINES:
        models = [kind(label, binary) for label, binary in tasks.items()]
        scores = {
            model.label: model.fit(train).scores(dataset)
            for model in models
            if model.applies(train)
        }
        if scores:
            real = {task for task in scores if not tasks[task]}
            found[kind.name] = measure(scores, dataset, real=real, train=train)
    return found
