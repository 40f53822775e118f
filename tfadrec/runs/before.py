"""What a command refuses before it loads TensorFlow."""

import math
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

import pyarrow.fs

from tfadrec.core import pretrained
from tfadrec.core.bundle_folder import bundle_folder, check_bundle_folder
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest
from tfadrec.core.no_answer import no_answer
from tfadrec.core.schema import Schema
from tfadrec.data.copy.encode_catalogue import vectors_folder
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.encoded import column_files
from tfadrec.data.files import open_filesystem
from tfadrec.data.intake.join_datasets import check_grows
from tfadrec.data.known_id import check_known_id
from tfadrec.data.sources.expiry_times import EXPIRES, expiry_times
from tfadrec.runs.check import check_field, check_schema, check_sections
from tfadrec.runs.choices import options
from tfadrec.runs.custom import modules_named
from tfadrec.runs.folder import JOINED, MODEL, replay_folder, run_folder
from tfadrec.runs.record import (
    GROWN,
    check_claim,
    of_update,
    place_of_data,
    read_record,
)


def data_path(data: str | pathlib.Path) -> str:
    """How a run's record names its dataset."""
    return str(data if "://" in str(data) else pathlib.Path(data).resolve())


def check_training(
    data: str | pathlib.Path,
    config: RunConfig,
    out: str | pathlib.Path,
    allow_import: Collection[str] = (),
    model: str | None = None,
) -> Schema:
    """Refuses a training that cannot work, or would write over other things.

    Args:
      data: the dataset folder, of which only the schema is read.
      config: the settings.
      out: the run folder.
      allow_import: modules whose classes the settings may name.
      model: the one that is trained; None for that of the settings.

    Returns:
      The schema of the dataset.

    Raises:
      InputError: for a setting that no run has, that names what the dataset
        lacks, for a folder that is no dataset or holds something else.
      TfadrecError: where the language model cannot be had.
    """
    schema = _check_settings(data, config, allow_import, model)
    record = {"data": data_path(data), "config": config.to_yaml()}
    check_claim(run_folder(out), record)
    _check_models(config.sections())
    return schema


def check_replay(
    data: str | pathlib.Path,
    config: RunConfig,
    out: str | pathlib.Path,
    allow_import: Collection[str] = (),
) -> None:
    """Refuses a replay that cannot work, or would write over other things.

    Raises:
      InputError: as `check_training`.
    """
    _check_settings(data, config, allow_import, "ranker")
    replay_folder(out).check()
    _check_models(config.sections())


def _check_settings(
    data: str | pathlib.Path,
    config: RunConfig,
    allow_import: Collection[str],
    model: str | None,
) -> Schema:
    """Refuses settings of a training that cannot work on a dataset."""
    sections = config.sections()
    check_sections(sections, allow_import)
    if model not in (None, config.model):
        raise InputError(
            f"here a {model} is trained. Received: settings of a "
            f"{config.model}. Give others, or use `tfadrec train`."
        )
    if config.model == "retriever":
        _check_fit(config)
    if config.model == "cross_encoder":
        _check_reads(config)
    if config.distil is not None:
        _check_teacher(config, data, allow_import)
    schema = DatasetFiles(data).schema()
    check_schema(sections, schema)
    return schema


def _check_fit(config: RunConfig) -> None:
    """Refuses settings of `fit` that only a ranker has."""
    for name in ("by", "monitor", "ensemble", "refit"):
        if name in config.fit:
            raise InputError(
                f"a retriever has no setting `fit.{name}`: it is one model "
                "that learns from clicks, and its best epoch is that of the "
                f"highest recall. Received: {name}={config.fit[name]!r}. "
                "Leave it out."
            )


def _check_reads(config: RunConfig) -> None:
    """Refuses settings by which no cross-encoder would learn."""
    for name in ("by", "ensemble", "refit"):
        if name in config.fit:
            raise InputError(
                f"a cross-encoder has no setting `fit.{name}`: it is one model "
                "that learns by request. Received: "
                f"{name}={config.fit[name]!r}. Leave it out."
            )
    tuning = (config.text or {}).get("tuning", "frozen")
    if tuning == "frozen":
        raise InputError(
            "a cross-encoder reads ad copy by a language model that is tuned. "
            f"Received: text={config.text!r}. Give it a `tuning`, such as "
            "`{class: top_layers, k: 2}`."
        )


def _check_teacher(
    config: RunConfig, data: str | pathlib.Path, allow_import: Collection[str]
) -> None:
    """Refuses to imitate a run that the model cannot learn from."""
    assert config.distil is not None
    if config.model == "retriever":
        check_run(config.distil, data, allow_import)
        return
    kinds = ("ranker", "cross_encoder")
    record = check_run(config.distil, data, allow_import, kinds)
    theirs = RunConfig.from_yaml(record["config"])
    for fit, whose in ((config.fit, "this run"), (theirs.fit, config.distil)):
        if fit.get("refit"):
            raise InputError(
                "a ranker that imitates another model learns, as that does, "
                "from training rows alone. Received: fit.refit=true of "
                f"{whose}. Leave it out."
            )


def check_search(
    data: str | pathlib.Path,
    sections: Mapping[str, Any],
    allow_import: Collection[str] = (),
) -> Schema:
    """Refuses a search in which a training could not work.

    Args:
      data: the dataset folder, of which only the schema is read.
      sections: of the search space.
      allow_import: modules whose classes the space may name.

    Returns:
      The schema of the dataset.

    Raises:
      InputError: as `check_training`.
    """
    check_sections(sections, allow_import, options)
    schema = DatasetFiles(data).schema()
    check_schema(sections, schema)
    _check_models({**RunConfig().sections(), **sections})
    return schema


def check_run(
    run: str | pathlib.Path,
    data: str | pathlib.Path | None = None,
    allow_import: Collection[str] = (),
    models: Collection[str] = ("ranker",),
) -> dict[str, str]:
    """Refuses a folder that is no finished run, or whose dataset is gone.

    Args:
      run: the folder.
      data: a dataset folder to read in place of that of its record.
      allow_import: modules whose classes it may name.
      models: of which one it has to be, see `RunConfig`.

    Returns:
      The run's record.

    Raises:
      InputError: with what is missing, or where the record names an address.
    """
    run = pathlib.Path(run)
    if not (run / MODEL).is_file():
        raise InputError(
            "a run is a folder with a trained model. Received: "
            f"{run}, which {_what_is(run)}"
        )
    record = read_record(run)
    settings = RunConfig.from_yaml(record["config"])
    _check_kind(run, settings.model, models)
    config = settings.sections()
    if modules_named(config):
        check_sections(config, allow_import)
    if data is not None:
        open_filesystem(data)  # or "" would be the current folder
    place = place_of_data(run, record) if data is None else data
    if not place:
        raise InputError(
            "a run that `training.fit` wrote knows its dataset where that was "
            f"read from a folder. Received: {run}, fitted on one that was not. "
            "Name the folder with --data, in Python with data=."
        )
    if "://" not in str(place) and not pathlib.Path(place).is_dir():
        raise InputError(
            "a run is read with the dataset it was made with. Received: "
            f"{run}, made with {place}, which is not there. Name the folder "
            "where it is now with --data, in Python with data=."
        )
    DatasetFiles(place)
    return record


def _check_kind(run: pathlib.Path, kind: str, models: Collection[str]) -> None:
    if kind not in models:
        wanted = " or a ".join(models)
        raise InputError(
            f"this needs a run of a {wanted}. Received: {run}, which is one of "
            f"a {kind}. Name another run."
        )


def check_update(
    run: str | pathlib.Path,
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    epochs: int,
    rehearse: float,
    rate: float,
    allow_import: Collection[str] = (),
) -> dict[str, str]:
    """Refuses an update that cannot work, or would write over other things.

    Args:
      run: the folder of the run to go on with.
      data: the dataset folder of the rows to learn.
      out: the folder of the new run.
      epochs: see `training.update`.
      rehearse: see `training.update`.
      rate: see `training.update`.
      allow_import: modules whose classes the run may have.

    Returns:
      The run's record.

    Raises:
      InputError: with what is wrong.
    """
    record = check_run(run, allow_import=allow_import)
    check_sections({"fit": {"epochs": epochs}})
    if not 0 <= rehearse <= 1:
        raise InputError(
            "`rehearse` must be a share in [0, 1]. Received: "
            f"rehearse={rehearse!r}."
        )
    if not 0 < rate < math.inf:
        raise InputError(
            "`rate` must be a factor > 0 of the run's learning rate. Received: "
            f"rate={rate!r}."
        )
    check_grows(record["data"], data)
    folder = run_folder(out)
    out = folder.path
    if (out / MODEL).exists() and not (out / JOINED).exists():
        raise InputError(
            "an update is written to a folder of its own. Received: "
            f"{out}, which holds another run. Name another folder."
        )
    check_claim(folder, of_update(data_path(out / JOINED), rehearse, rate))
    return record


def check_question(
    record: Mapping[str, str],
    data: str | pathlib.Path | None,
    user_id: str,
    exclude: Collection[str],
) -> None:
    """Refuses to ask about users and ads by ids that no dataset could have.

    Args:
      record: of the run, as `check_run` gives it.
      data: the dataset folder in place of that of the record.
      user_id: that of the user.
      exclude: those of ads.

    Raises:
      InputError: where ids are numbers and one of these is none.
    """
    schema = DatasetFiles(record["data"] if data is None else data).schema()
    schema.user_id(user_id)
    for ad_id in exclude:
        schema.ad_id(ad_id)


def check_explained(
    record: Mapping[str, str],
    data: str | pathlib.Path | None,
    user_id: str,
    ad_id: str,
) -> None:
    """Refuses to explain a score of a user or an ad that a run does not know.

    Of datasets without files of their ids only the ids' type is looked at.

    Args:
      record: of the run, as `check_run` gives it.
      data: the dataset folder in place of that of the record.
      user_id: that of the user.
      ad_id: that of the ad.

    Raises:
      InputError: where the dataset does not have one of them.
    """
    files = DatasetFiles(record["data"] if data is None else data)
    schema = files.schema()
    user, ad = schema.user_id(user_id), schema.ad_id(ad_id)
    users = column_files.saved_user_ids(files)
    if users is not None:
        check_known_id("user", user, users)
        check_known_id("ad", ad, files.table("ads")["ad_id"].to_numpy())


def check_run_field(
    record: Mapping[str, str], data: str | pathlib.Path | None, field: Any
) -> None:
    """Refuses a field to calibrate by that a run's dataset does not have.

    Args:
      record: of the run.
      data: a dataset folder to read in place of that of the record.
      field: its name, or None.

    Raises:
      InputError: with what there is.
    """
    check_field(
        field, DatasetFiles(record["data"] if data is None else data).schema()
    )


def check_export(
    record: Mapping[str, str], out: str | pathlib.Path, catalogue: str | None
) -> None:
    """Refuses to make a bundle of what none can be made of.

    Args:
      record: of the run; of one that `training.fit` wrote the ranker has to be
        looked at.
      out: the folder of the bundle's versions.
      catalogue: the file of more ads, or None.

    Raises:
      InputError: where the ranker gives no click probabilities, or the folder
        or the file cannot be what they should, with what is there.
    """
    reason = no_answer(RunConfig.from_yaml(record["config"]).ranker)
    if reason:
        raise InputError(reason)
    check_bundle_folder(bundle_folder(out).path)
    if catalogue is not None:
        check_path(catalogue, "a catalogue is a Parquet file of ads")


def check_expiry(
    record: Mapping[str, str],
    data: str | pathlib.Path | None,
    expires: str | None = None,
) -> str | None:
    """Finds the time of expiry of ads, and refuses one that they do not have.

    Args:
      record: of the run.
      data: a dataset folder to read in place of that of the record.
      expires: the column, or None for that which `prepare` has written.

    Returns:
      The column; None where none was asked for and `prepare` wrote none.

    Raises:
      InputError: with what there is.
    """
    folder = record["data"] if data is None else data
    ads = DatasetFiles(folder).table("ads")
    if expires is None and EXPIRES not in ads.column_names:
        return None
    column = EXPIRES if expires is None else expires
    expiry_times(ads, column, f"{folder}/ads.parquet")
    return column


def check_retriever(
    record: Mapping[str, str],
    retriever: str | pathlib.Path | None,
    filters: Collection[str],
    catalogue: str | None = None,
    data: str | pathlib.Path | None = None,
    allow_import: Collection[str] = (),
    *,
    anchors: bool = False,
    codes: int | None = None,
    candidates: int | None = None,
    chooses: bool = False,
) -> bool:
    """Refuses a retriever that does not go with a ranker.

    Args:
      record: of the ranker's run.
      retriever: the folder of the retriever's run, or None.
      filters: names of features that requests are to filter by.
      catalogue: the file of more ads, or None.
      data: a dataset folder to read in place of that of the records.
      allow_import: modules whose classes it may name.
      anchors: whether candidates are found without a retriever.
      codes: bytes that the index keeps of a vector, or None.
      candidates: how many ads are found, or None.
      chooses: whether requests may ask for ads that are unlike each other, or
        for few of one kind, which are chosen among so many.

    Returns:
      Whether the ranker's dataset grew from the retriever's, so that the
      retriever is to grow as well.

    Raises:
      InputError: where it is no run of a retriever, or one of a dataset that
        the ranker's is not and did not grow from, or one that it is to grow
        from and that is gone, or there are anchors as well, or it would read
        the copy of more ads by another language model, or there are filters,
        bytes or a number without either, or filters by what is no category of
        ads.
    """
    if candidates is not None and not (retriever or anchors or chooses):
        raise InputError(
            "candidates are found by a retriever or by anchors, or chosen "
            f"among. Received: --candidates {candidates} without --retriever, "
            "--anchors, --diversify or --cap: all ads are ranked. Leave it out."
        )
    if retriever is None and codes is not None and not anchors:
        raise InputError(
            "only what is retrieved has an index. Received: --codes "
            f"{codes} without --retriever or --anchors."
        )
    if retriever is None and filters and not anchors:
        raise InputError(
            "only what is retrieved can be filtered. Received: "
            f"--filter {', '.join(filters)} without --retriever or --anchors."
        )
    if retriever is not None and anchors:
        raise InputError(
            "candidates are found by a retriever or by anchors. Received: "
            "--retriever and --anchors. Leave one of them out."
        )
    if filters:
        files = DatasetFiles(record["data"] if data is None else data)
        for name in filters:
            files.schema().ad_category(name)
    if retriever is None:
        return False
    other = check_run(retriever, data, allow_import, models=("retriever",))
    grows = other["fingerprint"] in record.get(GROWN, "").split()
    if grows:
        place = place_of_data(pathlib.Path(retriever), other)
        if not pathlib.Path(place).is_dir():
            raise InputError(
                "a retriever grows from the dataset that it was made with. "
                f"Received: {retriever}, made with {place}, which is not "
                "there. Put it back, or train the retriever with --data "
                f"{record['data']}."
            )
    elif other["fingerprint"] != record["fingerprint"]:
        raise InputError(
            "a retriever is made with the ranker's dataset, or with one that "
            f"this grew from by updates. Received: {retriever}, made with "
            f"{other['data']}, and a ranker made with {record['data']}. Train "
            f"the retriever with --data {record['data']}, or find candidates "
            "by --anchors, without one."
        )
    ours, theirs = (RunConfig.from_yaml(r["config"]) for r in (record, other))
    if catalogue is not None and theirs.text not in (None, ours.text):
        raise InputError(
            "more ads are read by one `text`, the ranker's. Received: "
            f"{theirs.text} of the retriever and {ours.text} of the ranker. "
            "Leave --catalogue out, or train one of them again."
        )
    return grows


def check_re_ranker(
    record: Mapping[str, str],
    re_ranker: str | pathlib.Path | None,
    data: str | pathlib.Path | None = None,
    allow_import: Collection[str] = (),
) -> None:
    """Refuses a cross-encoder that cannot read a ranker's best ads.

    Args:
      record: of the ranker's run.
      re_ranker: the folder of the cross-encoder's run, or None.
      data: a dataset folder to read in place of that of the records.
      allow_import: modules whose classes it may name.

    Raises:
      InputError: where it is no run of a cross-encoder, or one of another
        dataset, or the ranker has learned from its validation rows, by which
        the two are mixed.
    """
    if re_ranker is None:
        return
    other = check_run(re_ranker, data, allow_import, models=("cross_encoder",))
    _check_same_data(record, other, re_ranker)
    if RunConfig.from_yaml(record["config"]).fit.get("refit"):
        raise InputError(
            "a cross-encoder is mixed in by validation rows, from which the "
            "ranker has not learned. Received: a ranker with fit.refit=true. "
            "Train it without."
        )


def _check_same_data(
    record: Mapping[str, str],
    other: Mapping[str, str],
    run: str | pathlib.Path,
) -> None:
    """Refuses a re-ranker beside a ranker that has another dataset."""
    if other["fingerprint"] != record["fingerprint"]:
        raise InputError(
            "a ranker and its re-ranker are made with the same dataset. "
            f"Received: {run}, made with {other['data']}, and a ranker "
            f"made with {record['data']}. Train one of them again."
        )


def check_encoding(
    data: str | pathlib.Path, text: Mapping[str, Any], out: str | pathlib.Path
) -> None:
    """Refuses ads that cannot be encoded, or a place for their vectors.

    Args:
      data: a dataset folder, or a Parquet file or folder of ads.
      text: settings of the section `text`.
      out: the folder of the vectors.

    Raises:
      InputError: with what is wrong.
      TfadrecError: where the language model cannot be had.
    """
    check_sections({"text": text})
    check_path(
        data, "a catalogue is a dataset folder, or a Parquet file of ads"
    )
    vectors_folder(out).check()
    _check_models({"text": text})


def check_path(path: str | pathlib.Path, rule: str) -> None:
    """Refuses a path at which there is nothing.

    Args:
      path: a local path or a URI.
      rule: what should be there.

    Raises:
      InputError: with what is there beside it.
    """
    filesystem, inner = open_filesystem(path)
    found = filesystem.get_file_info(inner)
    if found.type == pyarrow.fs.FileType.NotFound:
        beside = pathlib.Path(inner).parent
        others = [p.name for p in beside.iterdir()] if beside.is_dir() else []
        raise InputError(
            f"{rule}. Received: {path}, which is not there."
            f"{nearest([pathlib.Path(inner).name], others)}"
        )


def _what_is(run: pathlib.Path) -> str:
    """What a folder is that is no run, and what to do."""
    if not run.exists():
        beside = run.parent.iterdir() if run.parent.is_dir() else ()
        others = [path.name for path in beside if (path / MODEL).is_file()]
        meant = nearest([run.name], others)
        return f"is not there.{meant or ' Make one with `tfadrec train`.'}"
    if (run / "schema.json").is_file():
        return (
            f"has no {MODEL}: it is a dataset. Name a run, and this with "
            "--data where it was moved; make a run with `tfadrec train --data "
            f"{run} --out ...`."
        )
    if any((path / "saved_model.pb").is_file() for path in run.glob("*")):
        return (
            f"has no {MODEL}: it is a bundle. Name the run that was exported."
        )
    if (run / "leaderboard.json").is_file():
        return (
            f"has no {MODEL}: it is a search. Train with its best.yaml: "
            f"`tfadrec train --config {run}/best.yaml ...`."
        )
    return f"has no {MODEL}. Make or finish it with `tfadrec train`."


def _check_models(sections: Mapping[str, Any]) -> None:
    """Finds every language model that the settings name."""
    text = sections.get("text")
    for model in options((text or {}).get("model")):
        if model is not None:
            pretrained.locate(model)
