"""Which inputs of a ranker are of events and candidates, and their names."""

from tfadrec.core.schema import Schema
from tfadrec.explanation.scopes import Key
from tfadrec.layers.features.kinds import columns_of
from tfadrec.models import AdRanker

#: Inputs of events that are no columns of features.
EVENTS = frozenset({"history_ads", "history_events", "history_ages"})
#: Inputs that tell who a user is.
USER_IDS = ("user_id", "user_key")
#: Inputs that are no columns of features.
NO_FEATURES = EVENTS | {*USER_IDS, "history_length", "candidate_ads"}


def event_inputs(ranker: AdRanker) -> set[str]:
    """The inputs of events, [B, T, ...]."""
    fields = ranker.user_tower.event_features
    features = [] if fields is None else fields.features
    return {*EVENTS, *(name for f in features for name in columns_of(f))}


def candidate_inputs(ranker: AdRanker) -> set[str]:
    """The features of candidates among the inputs, [B, C, ...]."""
    own = [f for f in ranker.candidate if f.get("entity") == "candidate"]
    return {name for feature in own for name in columns_of(feature)}


def is_of_events(key: Key, ranker: AdRanker) -> bool:
    """Whether a value that enters a ranker is [B, T, ...]."""
    scope, layer, names = key
    fields = ranker.user_tower.event_features
    return (
        scope == "history"
        or (layer in _described_by(ranker) and names == ("event",))
        or (fields is not None and layer == fields.name)
    )


def _described_by(ranker: AdRanker) -> set[str]:
    """The layers that read what is known of an event beside its ad."""
    layers = (ranker.user_tower, ranker.fold_in)
    return {layer.name for layer in layers if layer is not None}


def labels_of(key: Key, ranker: AdRanker, schema: Schema) -> list[str]:
    """What people call the features of a value.

    Args:
      key: of a value that enters the ranker.
      ranker: built.
      schema: of its dataset.

    Returns:
      One name, or one for each place of the value's last axis.
    """
    _, layer, names = key
    before = "history " if is_of_events(key, ranker) else ""
    if layer in _described_by(ranker):
        return [f"{before}type and age" if before else "user id"]
    if layer == ranker.ad_tower.name:
        is_id = names[0] in ranker.ad_tower.of_id
        return [f"{before}ad {'id' if is_id else 'text'}"]
    known = {
        feature.tensor: f"{feature.entity}.{feature.name}"
        for feature in schema.features
    }
    return [before + known.get(name, f"ad {name}") for name in names]
