"""What each ingredient of the default ranker brings, and what it costs.

    python benchmarks/ablation.py data/LOG [SEEDS]

Validation rows; one seed unless more are asked for. Each way leaves one thing
out, or adds one. Costs are processor time: of a training with its validation,
and of a slate of 500 candidates in TensorFlow's own loader, where rankers of
all ways take turns (see `take_turns.py`).
"""

import contextlib
import os
import pathlib
import sys
import tempfile
import time
from unittest import mock

import numpy as np
import serving
from machine import describe
from take_turns import CLOCKS, take_turns

_METRICS = ("auc", "gauc", "uauc", "log_loss")
_CALLS = 300
#: Parts of a start that no setting leaves out.
_SLOPES = {"tfadrec.training.build.slope_sizes": ({}, {})}
_LEVELS = {"tfadrec.training.without_steps.start_linear": None}
#: Way -> its settings, and what gives nothing in it.
_WAYS = {
    "as it is": ({}, {}),
    "no opinions": ({"fold_in": None}, {}),
    "no tastes": ({}, _SLOPES),
    "no tastes, no levels": ({}, _SLOPES | _LEVELS),
    "no matching of texts": ({"text_matching": None}, {}),
    "no text": ({"text": None, "text_matching": None}, {}),
    "no ids of ads": ({"ad_tower": {"use_id": False}}, {}),
    "no ids of users": ({"user_tower": {"use_id": False}}, {}),
    "three as one": ({"fit": {"ensemble": 3}}, {}),
}


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    folder, *rest = sys.argv[1:]
    print(describe())
    print(f"{folder}, validation rows: " + " / ".join(_METRICS))
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(int(*rest or [1])):
            folders = {}
            for way in _WAYS:
                out = pathlib.Path(scratch, f"{seed} {way}")
                said, slate = _train(folder, way, seed, out)
                folders[way] = slate
                print(f"{seed} {way}: {said}", flush=True)
        took = take_turns(folders.values(), _CALLS)
        of_processor = took[list(CLOCKS).index("processor")]
        for way, calls in zip(folders, of_processor, strict=True):
            told = ", ".join(f"{t:.2f}" for t in np.percentile(calls, [10, 50]))
            print(f"{way}: a slate takes {told} ms (10th, 50th percentile)")


def _train(folder, way, seed, out):
    """What a way reaches, as a line, and a bundle of it that scores slates."""
    from tfadrec import evaluation, training
    from tfadrec.core.config import RunConfig

    settings, nothing = _WAYS[way]
    fit = {**settings.get("fit", {}), "seed": seed}
    config = RunConfig(**{**settings, "fit": fit})
    begun = time.process_time()
    with contextlib.ExitStack() as patches:
        for name, given in nothing.items():
            patches.enter_context(mock.patch(name, return_value=given))
        run = training.train(folder, config, out / "run", progress=False)
    seconds = time.process_time() - begun
    found = evaluation.evaluate(run.ranker, run.valid, train=run.train)
    metrics = found.to_dict()["metrics"]["clicked"]
    figures = " / ".join(f"{metrics[name]:.4f}" for name in _METRICS)
    rows = run.valid.impressions
    longest = np.argmax(rows.history_ends - rows.history_starts)
    return f"{figures}; {seconds:.0f} s", serving.export_slate(
        run.ranker, run.valid.select(longest[None]), out / "slate"
    )


if __name__ == "__main__":
    main()
