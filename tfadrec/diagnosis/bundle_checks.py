"""What is wrong with a bundle, and with what it is asked."""

import itertools
import pathlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from tensorflow.core.protobuf import saved_model_pb2

from tfadrec.core.bundle_folder import (
    newest_version,
    require_whole,
    version_number,
)
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json
from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis.finding import Finding
from tfadrec.diagnosis.logits import saturated
from tfadrec.monitoring import Profile
from tfadrec.monitoring.measure import Measure
from tfadrec.monitoring.profile import FILE
from tfadrec.monitoring.request import Request
from tfadrec.monitoring.window import Window
from tfadrec.native import warm_up_file
from tfadrec.serving.ad_record import DOWN, some
from tfadrec.serving.bundle import open_bundle
from tfadrec.serving.deployment import read_labels
from tfadrec.serving.op_lint import foreign_ops
from tfadrec.serving.parity import COMPARED
from tfadrec.serving.promotion import PREVIOUS
from tfadrec.serving.requests import replay
from tfadrec.serving.taken_down import still_given, taken_down
from tfadrec.serving.warm_up import FILE as WARM_UP
from tfadrec.serving.watched_rows import as_rows, spread

#: Rows that are asked for at a time.
_BATCH = 512
#: Of the bound of a difference, what is near it.
_NEAR = 0.5
#: Watched measure -> the name of what it finds.
_NAMES = {"calibration": "calibration_off"}

Answers = Mapping[str, NDArray]
Ask = Callable[..., Answers]


def of_bundle(
    path: pathlib.Path, dataset: Dataset | None = None
) -> Iterator[Iterator[Finding]]:
    """All checks of a bundle's newest version, and some of the labelled ones.

    Of these it is the files, and whether they give ads that were taken down.

    Args:
      path: the folder of versions, or of one version, which alone is checked.
      dataset: rows of today's log, which are asked of it.
    """
    version = newest_version(path)
    labels = {} if version == path else read_labels(path)
    numbers = sorted({*labels.values()} - {version_number(version.name)})
    folders = [*(path / str(number) for number in numbers), version]
    changed = {folder: [*changed_files(folder)] for folder in folders}
    yield itertools.chain(*changed.values())
    if changed[version]:
        return  # it may be anything
    if version != path:
        whole = {folder.name for folder in folders if not changed[folder]}
        yield take_downs(
            path, {k: n for k, n in labels.items() if str(n) in whole}
        )
    yield other_tensorflow(version)
    yield missing_ops(version)
    yield unchecked(version)
    ask = open_bundle(version)["serving_default"]
    if dataset is None:
        yield answers_to_warm_up(version, ask)
    else:
        yield skew(version, ask, dataset)


def changed_files(version: pathlib.Path) -> Iterator[Finding]:
    """Files that are not as they were exported."""
    try:
        require_whole(version)
    except InputError as error:
        yield Finding(
            "changed_file",
            "error",
            version.name,
            "the bundle is not as it was exported",
            str(error).partition("Received: ")[2].partition(". Export")[0],
            "Export the run again, and remove that version.",
        )


def take_downs(
    bundle: pathlib.Path, labels: Mapping[str, int]
) -> Iterator[Finding]:
    """Ads that were taken down, and that a version gives all the same.

    Args:
      bundle: the folder of versions.
      labels: label -> version, whose files are as they were exported.
    """
    try:
        taken_down(bundle)
    except InputError as error:
        facts = str(error).partition("Received: ")[2]
        much, _, mend = facts.partition("). ")
        yield Finding(
            "taken_down",
            "error",
            DOWN,
            "nothing tells which ads were taken down",
            f"{much})",
            mend,
        )
        return
    for label, number in labels.items():
        given = still_given(bundle, number)
        if given:
            yield Finding(
                "taken_down",
                # The version before has what has been taken down since.
                "note" if label == PREVIOUS else "warning",
                label,
                "a version with a label gives ads that were taken down",
                f"{len(given)} by version {number}, such as {some(given)}",
                f"`tfadrec index {bundle} --on {label} --remove ID` takes them "
                "from it.",
            )


def other_tensorflow(version: pathlib.Path) -> Iterator[Finding]:
    """A bundle of another TensorFlow than this one."""
    model = saved_model_pb2.SavedModel.FromString(
        (version / "saved_model.pb").read_bytes()
    )
    wrote = model.meta_graphs[0].meta_info_def.tensorflow_version
    if wrote.split(".")[:2] != tf.__version__.split(".")[:2]:
        yield Finding(
            "other_tensorflow",
            "note",
            version.name,
            "another TensorFlow wrote the bundle",
            f"{wrote}, and here is {tf.__version__}",
            "Serve it with that version or a later one.",
        )


def missing_ops(version: pathlib.Path) -> Iterator[Finding]:
    """Ops that a server may not have."""
    for op, servers in foreign_ops(version).items():
        yield Finding(
            "foreign_op",
            "warning",
            op,
            "core TensorFlow does not have an op of the graph",
            servers,
            "Ask the server for it before a release.",
        )


def unchecked(version: pathlib.Path) -> Iterator[Finding]:
    """A bundle that was not compared with its ranker, or only just passed."""
    try:
        told = read_json(version / COMPARED)
        bound, differences = told["bound"], told["differences"]
        case = max(differences, key=lambda name: differences[name])
    except (OSError, ValueError, KeyError, TypeError):
        yield Finding(
            "not_compared",
            "warning",
            COMPARED,
            "nothing tells that the bundle scores as its ranker does",
            "there is no comparison",
            "Export the run again.",
        )
        return
    if differences[case] > _NEAR * bound:
        yield Finding(
            "near_bound",
            "note",
            case,
            "served scores differ from the ranker's nearly as much as they may",
            f"{differences[case]:.2g} of {bound:.2g}",
            "Does the ranker have weights or inputs that are very large?",
        )


def answers_to_warm_up(version: pathlib.Path, ask: Ask) -> Iterator[Finding]:
    """What is odd about the answers to the requests that lie in a bundle."""
    file = version / WARM_UP
    asked = [
        request
        for signature, request in warm_up_file.requests(file)
        if signature == "serving_default"
    ]
    yield from _odd_answers(ask(**max(asked, key=lambda r: len(r["user_id"]))))


def skew(
    version: pathlib.Path, ask: Ask, dataset: Dataset
) -> Iterator[Finding]:
    """Rows whose values, or answers, are not like those of training.

    Raises:
      InputError: where the rows have other inputs than the bundle.
    """
    rows = dataset.select(spread(len(dataset)))
    profile = None
    if (version / FILE).is_file():
        profile = Profile.load(version)
        _check_inputs(profile, dataset)
    parts = np.array_split(np.arange(len(rows)), -(-len(rows) // _BATCH))
    found = [ask(**replay(rows, part)) for part in parts]
    answers = {
        name: np.concatenate([a[name] for a in found]) for name in found[0]
    }
    yield from _odd_answers(answers)
    if profile is None:
        yield Finding(
            "no_profile",
            "warning",
            FILE,
            "nothing tells what the bundle was trained on",
            "no statistics of training rows",
            "Export the run again, with its training rows.",
        )
        return
    users = rows.impressions.people.astype(str)
    request = Request("rows", None, as_rows(rows), answers["score"], users)
    labels = rows.impressions.labels.get("clicked")
    known = {} if labels is None else {"rows": labels.astype(np.float64)}
    window = Window(profile, profile.signals(), known)
    window.add(request)
    for alarm in window.measured(1).alarms:
        yield Finding(
            _NAMES.get(alarm.name, "train_serve_skew"),
            "warning",
            alarm.signal,
            "rows are not what the bundle was trained on",
            alarm.line.partition(": ")[2],
            mend(alarm),
        )


def mend(alarm: Measure) -> str:
    """What to do about rows that are not like those of training."""
    if alarm.name in _NAMES:
        return "Calibrate, and export again."
    if alarm.signal in ("history_length", "history_ages"):
        return (
            "Histories of a young log grow, and then this is no fault: see "
            "docs/monitoring.md. Else are they made as they were for training?"
        )
    return "Is the value made as it was for training? Else train again."


def _odd_answers(answers: Answers) -> Iterator[Finding]:
    logits = answers["logits"]
    yield from saturated("logits", logits)
    if len(logits) > 1 and np.ptp(logits) == 0:
        yield Finding(
            "constant_answers",
            "error",
            "logits",
            "the bundle answers all requests alike",
            f"{logits[0]:.4g} for {len(logits)} rows",
            "Are the ids and features of requests those of the log?",
        )


def _check_inputs(profile: Profile, dataset: Dataset) -> None:
    needed, given = (
        {f.tensor for f in schema.of("user", "context", "candidate", "event")}
        for schema in (profile.schema, dataset.schema)
    )
    if missing := sorted(needed - given):
        raise InputError(
            "a bundle is asked rows that have its inputs. Received: no "
            f"{', '.join(missing)}. Prepare the log with --like the dataset "
            "that the run was trained on."
        )
