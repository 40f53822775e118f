"""What a ranker has to know of a dataset: its features, users and ads."""

from collections.abc import Sequence
from typing import Any

#: The kinds that are read at a candidate, whoever they belong to.
_AT_CANDIDATE = ("lookup",)
#: `text_rank` of an ad tower whose ad copy is matched.
DEFAULT_RANK = 64


def has_text_vectors(catalogue: Any) -> bool:
    """Whether a catalogue has the vectors of its ad copy."""
    return any(feature.tensor == "text" for feature in catalogue.features)


def dataset_sizes(
    dataset: Any, tasks: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """The arguments of a ranker's parts that a dataset tells.

    Args:
      dataset: a `tfadrec.data.Dataset`.
      tasks: labels that it has to have.

    Returns:
      `ad_tower`, `user_tower`, `text_matching` and `ranker` -> arguments by
      name.

    Raises:
      ValueError: where it is no dataset, or lacks a label.
    """
    if not hasattr(dataset, "schema"):
        raise ValueError(
            "`dataset` must be a dataset. Received: "
            f"{type(dataset).__name__}. Call `data.open_dataset(folder)` first."
        )
    missing = sorted(set(tasks) - set(dataset.schema.labels))
    if isinstance(tasks, str) or missing:
        raise ValueError(
            "`tasks` must be a list of labels of the dataset, which has "
            f"{', '.join(dataset.schema.labels)}. Received: {tasks!r}."
        )
    of: dict[str, list[dict[str, Any]]] = {}
    for feature in dataset.schema.features:
        at = feature.entity
        if feature.kind in _AT_CANDIDATE:
            at = "candidate"
        of.setdefault(at, []).append(feature.spec())
    candidate = of.get("candidate", [])
    read = {name for spec in candidate for name in spec.get("of", ())}
    columns = dataset.catalogue.columns
    num_event_types = len(dataset.schema.event_types) + 1
    passed = [
        name
        for feature in dataset.catalogue.features
        if feature.tensor in read
        for name in feature.tensors
        if name in columns
    ]
    return {
        "ad_tower": {"catalogue": dataset.catalogue, "passed": passed},
        "user_tower": {
            "num_event_types": num_event_types,
            "num_users": len(dataset.user_ids) + 1,
            "event_features": of.get("event", []),
        },
        "text_matching": {
            "num_event_types": num_event_types,
            "skipped": dataset.schema.skipped,
        },
        "ranker": {
            # A head that crosses them with all else learns more from users'
            # features than user vectors do (benchmarks/RESULTS.md).
            "context": [*of.get("context", []), *of.get("user", [])],
            "candidate": candidate,
        },
    }
