"""`docs/precision.md`: every layer, precision and strategy.

The slow test runs every cell and writes the page; the others see that the page
is of the layers that there are, and try some cells.
"""

import json
import pathlib
import subprocess
import sys

import pytest

from tests.precision_cells import POLICIES, STRATEGIES, cells
from tests.strategy_runs import RUNS
from tests.test_conformance import CASES

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs" / "precision.md"
INTRODUCTION = """\
# Precision and strategies

What `pytest tests/test_precision.py -m slow` last found. In each cell the layer
is trained with `Model.fit` under the precision (Keras' global policy) and the
strategy of `tf.distribute`, saved as `.keras`, reloaded, and exported with
`Model.export`; what is reloaded and what is exported give the outputs of the
trained model. The row `training.fit` is a ranker with every default on:
dropouts of features and ids, features of all entities, text that is tuned. It
is trained, stopped after an epoch, resumed, saved, reloaded and exported as a
bundle.

1, M1 and M2 are one device, `MirroredStrategy` with one replica and with two,
on the CPU; `-` was not run. Make, compile and build the model in
`strategy.scope()`; `fit` and `training.fit` are called as ever.
"""
#: Whether something went wrong -> what the page says.
MARKS = {False: "ok", True: "failed"}
NOT_RUN = "-"
SIZE = len(CASES) + 1


def ran(module, *wanted):
    """What a process printed: cell -> what went wrong in it."""
    done = subprocess.run(
        [sys.executable, "-m", module, *wanted],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(map(json.loads, done.stdout.splitlines()))


def page(found):
    """The page of what was found, cell -> what went wrong."""
    columns = [
        (policy, strategy) for policy in POLICIES for strategy in STRATEGIES
    ]
    short = dict(zip(STRATEGIES, ("1", "M1", "M2"), strict=True))
    lines = [
        "| layer | "
        + " | ".join(f"{policy} {short[name]}" for policy, name in columns)
        + " |",
        "|---" * (1 + len(columns)) + "|",
    ]
    for row in [*CASES, "training.fit"]:
        cells = [f"{row}/{policy}/{name}" for policy, name in columns]
        marks = [
            MARKS[bool(found[cell])] if cell in found else NOT_RUN
            for cell in cells
        ]
        lines.append(f"| `{row}` | {' | '.join(marks)} |")
    return INTRODUCTION + "\n" + "\n".join(lines) + "\n"


def test_the_page_is_of_all_layers_and_none_fails():
    text = PAGE.read_text("utf-8")
    rows = [line.split("|")[1].strip() for line in text.splitlines()[-SIZE:]]
    assert rows == [f"`{name}`" for name in (*CASES, "training.fit")]
    assert text.startswith(INTRODUCTION)
    assert MARKS[True] not in text.removeprefix(INTRODUCTION)


def test_some_cells():
    """One that exchanges sparse gradients, and one without any weights."""
    wanted = [
        "IdEmbedding/mixed_float16/Mirrored 2",
        "FM/mixed_bfloat16/one device",
    ]
    assert ran("tests.precision_cells", *wanted) == dict.fromkeys(wanted, "")


@pytest.mark.slow
def test_every_cell():
    found = ran("tests.precision_cells") | ran("tests.strategy_runs")
    assert set(found) == {*cells(), *RUNS}
    PAGE.write_text(page(found), "utf-8")
    assert not {cell: said for cell, said in found.items() if said}
