"""Which inputs of requests are watched."""

from collections.abc import Iterator, Mapping

from tfadrec.core.feature import Entity, Feature
from tfadrec.core.schema import Schema
from tfadrec.data.features import with_columns
from tfadrec.monitoring.known_ids import KnownIds
from tfadrec.monitoring.signal import Kind, Place, Signal

#: Features that the bundle has values of, where a request has none.
_KEPT_KINDS = ("rate", "count")
_PLACES: Mapping[Entity, Place] = {
    "user": "request",
    "context": "request",
    "candidate": "candidate",
    "event": "history",
}
#: What the event types of a history are called.
_EVENTS = "history_events"


def signals_of(
    schema: Schema, history_length: int, ids: Mapping[str, KnownIds]
) -> list[Signal]:
    """The signals of a bundle's requests.

    Args:
      schema: of the dataset.
      history_length: T.
      ids: `users` and `ads`.
    """
    types = Feature(
        _EVENTS, "event", "category", _EVENTS, vocabulary=schema.event_types
    )

    def made(name: str, kind: Kind, place: Place, **more) -> Signal:
        return Signal(name, kind, place, history_length, **more)

    return [
        made("user_id", "id", "request", ids=ids["users"]),
        made("candidate_ads", "id", "candidate", ids=ids["ads"]),
        made(
            "history_length",
            "number",
            "request",
            feature=Feature("", "user", "number", low=0.0, high=history_length),
        ),
        made("history_ads", "id", "history", ids=ids["ads"]),
        made(_EVENTS, "category", "history", feature=types),
        made("history_ages", "number", "history"),
        *_of_features(schema, history_length),
    ]


def _of_features(schema: Schema, history_length: int) -> Iterator[Signal]:
    """Of a map from keys to numbers, the keys are watched."""
    for feature in with_columns(schema.of(*_PLACES)):
        kind: Kind
        name = feature.tensor
        if feature.kind == "lookup":
            name, kind = f"{name}_keys", "categories"
        elif feature.kind in ("category", "categories", "vector"):
            kind = feature.kind  # type: ignore[assignment]
        elif feature.kind in ("number", *_KEPT_KINDS):
            kind = "bucket" if feature.bounds else "number"
        else:  # a kind of your own
            continue
        yield Signal(
            name,
            kind,
            _PLACES[feature.entity],
            history_length,
            feature,
            may_be_left_out=feature.entity == "user"
            or feature.kind in _KEPT_KINDS,
        )
