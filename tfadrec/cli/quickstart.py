"""`tfadrec quickstart`: the whole path on real data."""

import pathlib
import platform
import tempfile
import time
from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow

_SEEDS = (0, 1, 2)
_USER = 42


@click.command(cls=Command)
@click.option(
    "--out",
    type=click.Path(),
    default="saved_models/quickstart",
    show_default=True,
    help="Folder for the bundle and the report.",
)
def quickstart(out: str) -> dict[str, Any]:
    """Go from MovieLens-100K's log to ads recommended by an exported bundle.

    The ranker, which reads ad copy and behaviour, is compared on the same
    held-out impressions with popularity, with the ads' click rates and with a
    DIN on ids alone.

    \b
    Example:
      tfadrec quickstart
    """
    load_tensorflow()
    import numpy as np
    import tensorflow as tf

    from tfadrec import __version__, data, evaluation, serving, training
    from tfadrec.core.config import RunConfig
    from tfadrec.evaluation.baselines import Popularity, SmoothedRate
    from tfadrec.evaluation.page import check_page

    report = pathlib.Path(out, "report.html")
    check_page(report)
    begun = time.monotonic()
    click.echo("1/5  MovieLens-100K: fetch, prepare, split by time")
    dataset = data.load("movielens-100k")
    parts = data.split_by_time(dataset)
    click.echo(
        f"     {len(dataset.catalogue):,} ads, "
        f"{len(dataset.user_ids):,} users, {len(dataset):,} impressions: "
        + " / ".join(f"{len(part):,}" for part in parts)
        + " to train / validate / test"
    )
    click.echo("2/5  The ad copy, read by all-MiniLM-L6-v2")
    catalogues = {
        "id-only DIN": dataset.catalogue.ids_only(),
        "ranker": training.with_text(dataset, RunConfig().text).catalogue,
    }
    # A DIN as it was published, which folds nothing in.
    configs = {"id-only DIN": RunConfig(fold_in=None), "ranker": RunConfig()}
    found: dict[str, list[evaluation.Evaluation]] = {}
    train, _, test = parts
    for kind in (Popularity, SmoothedRate):
        scores = {"clicked": kind().fit(train).scores(test)}
        found[kind.name] = [evaluation.measure(scores, test, train=train)]
    click.echo(f"3/5  Training, seeds {', '.join(map(str, _SEEDS))}")
    for name, catalogue in catalogues.items():
        train, valid, test = (part.with_catalogue(catalogue) for part in parts)
        found[name] = []
        for seed in _SEEDS:
            click.echo(f"     {name}, seed {seed}")
            with tempfile.TemporaryDirectory() as folder:
                ranker = training.build_ranker(configs[name], train, seed)
                training.fit(ranker, train, valid, folder, seed=seed)
            found[name].append(evaluation.evaluate(ranker, test, train=train))
    click.echo("4/5  Export, and a check that the bundle scores alike")
    bundle = serving.export_bundle(ranker, test, out, train=train, valid=valid)
    click.echo("5/5  Read the bundle back")
    ads = serving.recommend(
        serving.open_bundle(bundle)["recommend"], test, _USER
    )
    table = evaluation.compare(found)
    seconds = time.monotonic() - begun
    evaluation.write_report(
        report,
        "tfadrec quickstart: MovieLens-100K",
        found,
        ads,
        {
            "tfadrec": __version__,
            "TensorFlow": tf.__version__,
            "Python": platform.python_version(),
            "NumPy": np.__version__,
            "processor": platform.machine(),
            "seeds": ", ".join(map(str, _SEEDS)),
            "test impressions": f"{len(test):,}",
            "seconds": f"{seconds:.0f}",
        },
    )
    click.echo(f"\nOn the same {len(test):,} held-out impressions:\n")
    click.echo(table)
    click.echo(f"\nFor user {_USER}, from {bundle}:")
    for ad in ads:
        title = ad["title"] or ad["ad_id"]
        click.echo(f"{ad['rank']:>3}  {ad['pctr']:.3f}  {title}")
    click.echo(f"\n{seconds:.0f} seconds. Report: {report}")
    return {
        "bundle": str(bundle),
        "report": str(report),
        "seconds": seconds,
        "seeds": list(_SEEDS),
        "evaluations": {
            name: [run.to_dict() for run in runs]
            for name, runs in found.items()
        },
        "user": _USER,
        "recommendations": ads,
    }
