"""`tfadrec export`: a run to a bundle for TensorFlow Serving."""

import pathlib
import time
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    moved_data_option,
    say,
)
from tfadrec.cli.heartbeat import heartbeat
from tfadrec.core.check_order import check_order
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest
from tfadrec.core.read_json import read_json
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.deltas.bundle_delta import base_of_delta, write_delta
from tfadrec.runs.before import (
    check_expiry,
    check_export,
    check_re_ranker,
    check_retriever,
    check_run,
)

if TYPE_CHECKING:
    from tfadrec.data import Catalogue


@click.command(cls=Command)
@click.argument("run", type=click.Path())
@click.option(
    "--out",
    type=click.Path(),
    help="Folder of the model's versions  [default: saved_models/<run's name>]",
)
@click.option(
    "--catalogue",
    type=click.Path(),
    help="Parquet file of more ads, with the columns of ads.parquet.",
)
@click.option(
    "--rates",
    type=click.Path(),
    help="Folder of a dataset, prepared with --like the run's, as of whose end "
    "rates and counts are  [default: the run's].",
)
@click.option(
    "--check",
    type=click.Choice(["native"]),
    help="Also load the bundle through TensorFlow's C library, as servers do, "
    "and write how fast it answers to native.json; takes a minute or two.",
)
@click.option(
    "--retriever",
    type=click.Path(),
    help="Run of a retriever, which finds the ads that `recommend` ranks, made "
    "with the run's dataset or one that this grew from by updates.",
)
@click.option(
    "--anchors",
    is_flag=True,
    help="Learn in place of a retriever to find what the ranker likes, from "
    "what it says of a few ads; takes a minute or two.",
)
@click.option(
    "--candidates",
    type=click.IntRange(1),
    help="How many ads are found for the ranker to rank, by a retriever or "
    "--anchors, or taken by what they are worth for --diversify and --cap  "
    "[default: 500]",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="FEATURE",
    help="A category of ads that requests filter by; may be repeated.",
)
@click.option(
    "--codes",
    type=click.IntRange(1),
    metavar="BYTES",
    help="Keep so many bytes of each ad's vector in the index, such as a "
    "quarter of its numbers; for catalogues that take much memory.",
)
@click.option(
    "--expires",
    metavar="COLUMN",
    help="A column of ads.parquet, and of --catalogue, with the time from "
    "which on an ad is not found  [default: expires_seconds, where `prepare` "
    "wrote it].",
)
@click.option(
    "--no-expiry",
    is_flag=True,
    help="Give ads whatever the time at which they expire.",
)
@click.option(
    "--restore",
    multiple=True,
    metavar="FILE|ID",
    help="An ad that `tfadrec index --remove` took down and that is given "
    "again, or a file of such. May be repeated.",
)
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Add a signature that tells what a score is made of, and say what it "
    "costs.",
)
@click.option(
    "--bid",
    metavar="FEATURE",
    help="A number of ads that their score is multiplied by in `recommend`.",
)
@click.option(
    "--diversify",
    metavar="FEATURE",
    help="A vector of ads, such as text, by which requests may ask for ads "
    "that are unlike each other.",
)
@click.option(
    "--cap",
    "caps",
    multiple=True,
    metavar="FEATURE",
    help="A category of ads; requests may say how many of one value are given. "
    "May be repeated.",
)
@click.option(
    "--rerank",
    type=click.Path(),
    help="Run of a cross-encoder, which reads the best ads of `recommend` and "
    "`recommend_from` once more.",
)
@click.option(
    "--rerank-top",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many ads it reads.",
)
@click.option(
    "--since",
    type=click.Path(),
    help="An older version of the bundle, or its folder of versions: what the "
    "new one changes in it is written too, to deltas/ beside the versions.",
)
@moved_data_option
@allow_import_option
def export(
    run: str,
    out: str | None,
    catalogue: str | None,
    rates: str | None,
    check: str | None,
    retriever: str | None,
    anchors: bool,
    candidates: int | None,
    filters: tuple[str, ...],
    codes: int | None,
    expires: str | None,
    no_expiry: bool,
    restore: tuple[str, ...],
    explained: bool,
    bid: str | None,
    diversify: str | None,
    caps: tuple[str, ...],
    rerank: str | None,
    rerank_top: int,
    since: str | None,
    data: str | None,
    allow_import: tuple[str, ...],
) -> dict[str, Any]:
    """Write a new version of a bundle, after checking that it scores alike.

    With a catalogue, ads that the run does not know join the bundle without
    training: by their copy and columns. Those that it knows stay as they are.

    \b
    Example:
      tfadrec export runs/a --out saved_models/a
      tfadrec export runs/a --catalogue new.parquet
      tfadrec export runs/a --rates data/until_today
      tfadrec export runs/a --check native
      tfadrec export runs/a --retriever runs/find --filter brand
      tfadrec export runs/a --anchors --codes 16 --expires ends
      tfadrec export runs/a --explain
      tfadrec export runs/a --anchors --filter brand
      tfadrec export runs/a --bid bid --diversify text --cap brand
      tfadrec export runs/a --rerank runs/cross --rerank-top 20
      tfadrec export runs/tuesday --out saved_models/a --since saved_models/a
    """
    if explained and catalogue is not None:
        raise InputError(
            "a bundle explains the ads that its run knows. Received: --explain "
            f"and --catalogue {catalogue}. Leave out one of them."
        )
    if no_expiry and expires is not None:
        raise InputError(
            "ads expire or they do not. Received: --expires and --no-expiry. "
            "Leave out one of them."
        )
    name = pathlib.Path(run).absolute().name
    place = pathlib.Path("saved_models", name) if out is None else out
    record = check_run(run, data, allow_import)
    grows = check_retriever(
        *(record, retriever, filters, catalogue, data, allow_import),
        anchors=anchors,
        codes=codes,
        candidates=candidates,
        chooses=diversify is not None or bool(caps),
    )
    check_re_ranker(record, rerank, data, allow_import)
    check_export(record, place, catalogue)
    files = DatasetFiles(record["data"] if data is None else data)
    check_order(files.schema(), bid, diversify, caps)
    column = None if no_expiry else check_expiry(record, data, expires)
    # The newest one by now, as the new one is the newest later.
    older = None if since is None else base_of_delta(since)
    load_tensorflow()
    from tfadrec import explanation, serving, training
    from tfadrec.data import (
        open_dataset,
        read_ad_ids,
        read_catalogue,
        with_expiry,
    )
    from tfadrec.serving.catalogue_tables import columns_read
    from tfadrec.serving.cost_of_explaining import REPORT
    from tfadrec.serving.recommender import CANDIDATES

    loaded = training.load_run(run, data=data, allow_import=allow_import)
    found, distilled = None, False
    if retriever is not None:
        other = training.load_retriever(
            retriever, data=None if grows else data, allow_import=allow_import
        )
        _check_lengths(loaded.dataset, other.dataset, retriever)
        found, distilled = other.retriever, other.config.distil is not None
        if grows:
            say(f"{retriever} is given the ads and users of {run}.")
            found = training.grow_retriever(other, loaded.dataset)
    mixed = re_ranking = None
    if rerank is not None:
        reads = training.load_cross_encoder(
            rerank, data=data, allow_import=allow_import
        )
        mixed = training.mix(loaded, reads)
        re_ranking = serving.ReRanking(
            reads.reader, reads.tokenizer, mixed.mixture, rerank_top
        )
    more = None
    if catalogue is not None:
        more = read_catalogue(catalogue, loaded.test.schema, expires=column)
    tokenizer = encoder = None
    if loaded.config.text is not None:
        tokenizer, encoder = training.text_model(loaded.config.text)
    rows = loaded.test if len(loaded.test) else loaded.dataset
    if column is not None:
        rows = with_expiry(rows, column)
        _say_expiry(rows.catalogue, column)
    with heartbeat("tfadrec.serving"):
        folder = serving.export_bundle(
            loaded.ranker,
            rows,
            place,
            tokenizer=tokenizer,
            encoder=encoder,
            catalogue=more,
            calibration=loaded.calibration,
            rates=None if rates is None else open_dataset(rates),
            native=check == "native",
            train=loaded.train,
            valid=loaded.valid if len(loaded.valid) else None,
            retriever=found,
            distilled=distilled,
            candidates=CANDIDATES if candidates is None else candidates,
            filters=filters,
            explainer=explanation.ServedExplainer(
                loaded.ranker, loaded.dataset.schema
            )
            if explained
            else None,
            order=serving.OrderSettings(bid, diversify, caps),
            anchors=loaded.train if anchors else None,
            codes=codes,
            re_ranking=re_ranking,
            restore=[i for each in restore for i in read_ad_ids(each)],
        )
    click.echo(f"Bundle: {folder}")
    tower = loaded.ranker.ad_tower
    if tokenizer is None and (tower.text or "text" in columns_read(tower)):
        click.echo(
            "New ads need a vector of their copy: the model that reads it is "
            "not known. Give serving.export_bundle its tokenizer and encoder."
        )
    result: dict[str, Any] = {
        "bundle": str(folder),
        "version": int(folder.name),
    }
    if mixed is not None:
        of = mixed.mixture
        result["rerank"] = {
            "top": rerank_top,
            "of_ranker": of.of_ranker,
            "of_reader": of.of_second,
            "auc": mixed.mixed,
            "auc_of_ranker": mixed.alone,
        }
        click.echo(
            f"Read once more are the best {rerank_top} ads: "
            f"{of.of_ranker:.2f} of the ranker's logit and {of.of_second:.2f} "
            f"of the cross-encoder's. AUC of validation rows: "
            f"{mixed.mixed:.4f}, of the ranker {mixed.alone:.4f}."
        )
    if explained:
        cost = result["explain"] = read_json(folder / REPORT)
        click.echo(
            f"Explaining one row takes {cost['milliseconds']:.0f} ms; the "
            f"completeness error is {100 * cost['mean_error']:.2f} % on "
            f"average, {100 * cost['worst_error']:.2f} % at most "
            f"({cost['rows']} rows)."
        )
    if older is not None:
        delta = write_delta(
            older, folder, folder.parent / "deltas" / folder.name
        )
        size, of_all = _bytes_in(delta), _bytes_in(folder)
        click.echo(f"Delta: {delta}, {size:,} bytes in place of {of_all:,}")
        result |= {"delta": str(delta), "delta_bytes": size}
    if more is not None:
        known = loaded.test.catalogue.rows(pa.array(more.ad_ids))
        result["new_ads"] = int((known == 0).sum())
        click.echo(
            f"{result['new_ads']} of {len(more)} ads are new to the run."
        )
    return result


def _say_expiry(ads: "Catalogue", column: str) -> None:
    """Prints by which column ads expire, and how many have."""
    assert ads.expires is not None
    count = int((ads.expires <= time.time()).sum())
    say(
        f"Ads expire by {column}: {count} of {len(ads)} have. With --no-expiry "
        "they are given whatever the time."
    )


def _bytes_in(folder: pathlib.Path) -> int:
    """The bytes of the files that were written into a folder."""
    manifest = Manifest.in_folder(folder)
    assert manifest is not None
    return sum(size for size, _ in manifest.files.values())


def _check_lengths(ours, theirs, retriever: str) -> None:
    lengths = ours.history_length, theirs.history_length
    if lengths[0] != lengths[1]:
        raise InputError(
            "a ranker and its retriever read histories of one length. "
            f"Received: {lengths[0]} events, and {lengths[1]} of {retriever}. "
            "Train one of them with the other's `data.history_length`."
        )
