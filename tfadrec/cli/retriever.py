"""What `train` and `evaluate` say of a retriever."""

from collections.abc import Sequence
from typing import Any

from tfadrec.cli.command import load_tensorflow, say
from tfadrec.core.config import RunConfig

#: How many ads are retrieved.
_KS = (10, 50, 100)
_SHOWN = 50


def train_retriever(
    data: str, config: RunConfig, out: str, allow_import: Sequence[str]
) -> dict[str, Any]:
    """Trains, and shows the metrics of the best epoch."""
    load_tensorflow()
    from tfadrec import evaluation, training

    run = training.train_retriever(data, config, out, allow_import=allow_import)
    say_best(run)
    beside = evaluation.evaluate_retrieval(
        run.retriever, run.measured, run.train, ks=[_SHOWN]
    )
    ads = len(run.dataset.catalogue)
    say(evaluation.retrieval_line(beside, ads, _SHOWN))
    say(f"Next: tfadrec evaluate {out}")
    return {"run": str(out), "history": run.history, "beside": beside}


def say_best(run: Any) -> None:
    """Shows the metrics of a run's best epoch."""
    say(f"{len(run.history)} epochs; the best has")
    for name, value in run.best.items():
        say(f"  {name} {value:.4f}")


def evaluate_retrievers(
    names: Sequence[str], data: str | None, allow_import: Sequence[str]
) -> dict[str, Any]:
    """Measures runs on the clicks of their test rows, beside baselines."""
    load_tensorflow()
    from tfadrec import evaluation, training
    from tfadrec.evaluation.table import align

    told = {}
    for name in names:
        run = training.load_retriever(
            name, data=data, allow_import=allow_import
        )
        found = evaluation.evaluate_retrieval(
            run.retriever, run.test, run.train, ks=_KS
        )
        columns = list(found["retriever"])
        rows = [
            [who.replace("_", "-"), *(f"{values[c]:.4f}" for c in columns)]
            for who, values in found.items()
        ]
        ads = len(run.dataset.catalogue)
        say(f"Run {name}: clicks of its test rows, among {ads:,} ads\n")
        say(align([["", *columns], *rows]) + "\n")
        say(evaluation.retrieval_line(found, ads, _SHOWN) + "\n")
        told[name] = found
    return {"runs": told, **told[names[0]]}
