"""What a ranker has to know of a dataset: its features, users and ads."""

from typing import Any

#: The kinds that are read at a candidate, whoever they belong to.
_AT_CANDIDATE = ("lookup",)
#: `text_rank` of an ad tower whose ad copy is matched.
DEFAULT_RANK = 64


def has_text_vectors(catalogue: Any) -> bool:
    """Whether a catalogue has the vectors of its ad copy."""
    return any(feature.tensor == "text" for feature in catalogue.features)


def dataset_sizes(dataset: Any) -> dict[str, dict[str, Any]]:
    """The arguments of a ranker's parts that a dataset tells.

    Args:
      dataset: a `tfadrec.data.Dataset`.

    Returns:
      `ad_tower`, `user_tower`, `text_matching` and `ranker` -> arguments by
      name.
    """
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
        "text_matching": {"num_event_types": num_event_types},
        "ranker": {
            # A head that crosses them with all else learns more from users'
            # features than user vectors do (benchmarks/RESULTS.md).
            "context": [*of.get("context", []), *of.get("user", [])],
            "candidate": candidate,
        },
    }
