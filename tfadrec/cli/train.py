"""`tfadrec train`: a dataset folder to a run folder."""

import json
from typing import Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    plain,
    read_yaml_file,
)
from tfadrec.cli.cross_encoder import train_cross_encoder
from tfadrec.cli.retriever import say_best, train_retriever
from tfadrec.core.config import RunConfig
from tfadrec.core.no_answer import no_answer
from tfadrec.runs.before import check_training
from tfadrec.runs.folder import BASELINES, run_folder
from tfadrec.runs.read_config import read_config
from tfadrec.runs.task import Task, read_task


@click.command(cls=Command)
@click.option(
    "--data", required=True, type=click.Path(), help="The dataset folder."
)
@click.option(
    "--config",
    type=click.Path(),
    help="YAML file with the settings; the defaults where it is left out.",
)
@click.option("--out", required=True, type=click.Path(), help="The run folder.")
@allow_import_option
def train(
    data: str, config: str | None, out: str, allow_import: tuple[str, ...]
) -> dict[str, Any]:
    """Train a model, and go on with it where a run was killed.

    The run folder holds the model with its best weights, the settings, the
    metrics of each epoch, and TensorBoard's logs. The ranker is shown beside
    baselines on the validation rows, and RUN/baselines.json keeps the figures.
    With `model: retriever` in the file, a retriever is trained, and with
    `model: cross_encoder` a cross-encoder. Where TF_CONFIG names a cluster of
    workers, each of them is started with the same command, and they train
    together; and so are parameter servers.

    \b
    Example:
      tfadrec train --data data/ml --config examples/din_bert.yaml --out runs/a
    """
    task = read_task()
    if task.servers and not task.is_first:
        return _serve(task)
    settings = RunConfig()
    if config is not None:
        settings = read_config(read_yaml_file("config", config))
    if not task.is_first:
        return _help_to_train(task, data, settings, out, allow_import)
    schema = check_training(data, settings, out, allow_import)
    if settings.model == "retriever":
        return train_retriever(data, settings, out, allow_import)
    if settings.model == "cross_encoder":
        return train_cross_encoder(data, settings, out, allow_import)
    reason = no_answer(settings.ranker)
    if reason:
        click.echo(f"This run cannot be exported: {reason}")
    load_tensorflow()
    from tfadrec import serving, training

    training.joined(task)  # before anything is run, as it is to check a schema
    serving.check_servable(schema)
    run = training.train(data, settings, out, allow_import=allow_import)
    say_best(run)
    beside = _beside_baselines(run)
    folder = run_folder(out)
    with folder.held():
        text = json.dumps(plain(beside), indent=1, allow_nan=False)
        folder.write_text(BASELINES, text)
    click.echo(f"Next: tfadrec evaluate {out}")
    for line in beside["verdicts"]:
        click.echo(line)
    return {"run": str(out), "history": run.history, **beside}


def _help_to_train(
    task: Task,
    data: str,
    settings: RunConfig,
    out: str,
    allow_import: tuple[str, ...],
) -> dict[str, Any]:
    """What a worker does that is not the first: it trains, and is silent."""
    load_tensorflow()
    from tfadrec import training

    run = training.train(data, settings, out, allow_import=allow_import)
    click.echo(f"Worker {task.index} of {task.count} has done its part.")
    return {"worker": task.index, "history": run.history}


def _serve(task: Task) -> dict[str, Any]:
    """What a process does that works for the chief of parameter servers."""
    load_tensorflow()
    from tfadrec import training

    training.serve()
    click.echo(f"The chief has gone, and process {task.index} ends.")
    return {"worker": task.index}


def _beside_baselines(run) -> dict[str, Any]:
    """Measures and shows ranker and baselines on the validation rows.

    A calibration has learned from these rows, and the baselines have not: so
    the ranker is measured without it.
    """
    from tfadrec import evaluation

    tasks = {t: loss.is_binary for t, loss in run.ranker.task_losses.items()}
    found = evaluation.evaluate(run.chosen, run.valid, train=run.train)
    baselines = evaluation.evaluate_baselines(run.train, run.valid, tasks)
    facts = evaluation.rows_facts(run.valid, run.ranker.tasks[0])
    click.echo(f"\n{evaluation.rows_line('validation', facts)}\n")
    click.echo(evaluation.standings({**baselines, "the ranker": found}) + "\n")
    if run.calibration is not None:
        click.echo(
            "The ranker is shown before its calibration, which was learned "
            "from these rows.\n"
        )
    return {
        "rows": facts,
        "baselines": {n: e.to_dict()["metrics"] for n, e in baselines.items()},
        "verdicts": evaluation.verdicts(
            "The ranker", found, baselines, run.valid, run.monitor
        ),
    }
