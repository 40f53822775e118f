"""The feature spec that drives the reader, the pipeline and the signatures."""

import dataclasses
import json
import numbers
from collections.abc import Mapping
from typing import Any, Literal

from tfadrec.core.check_types import check_types
from tfadrec.core.errors import InputError
from tfadrec.core.feature import ENTITIES, Entity, Feature
from tfadrec.core.names import tensor_names
from tfadrec.core.nearest import nearest
from tfadrec.core.read_json import parse_json

IdType = Literal["string", "int64"]
#: The id that no ad has: it fills up requests, and answers with fewer ads.
NO_AD: dict[IdType, str | int] = {"string": "", "int64": -1}
#: The first number that is no 64-bit integer.
_OUTSIDE = 2**63

#: Columns of ads.parquet that make the ad copy; every dataset has them.
TEXT_COLUMNS = ("title", "description", "tags")
#: What the schema of a dataset is called.
SCHEMA_FILE = "schema.json"
VERSION = 2
#: The type of events that are impressions without a click.
SKIPPED = "skipped"
#: Kinds that have an embedding, or share one.
_EMBEDDED = ("category", "categories")
#: Entities in the order in which models make their features.
_MADE: tuple[Entity, ...] = ("ad", "event", "user", "context", "candidate")
# What the kinds of features were called in version 1.
_KINDS_1 = {"categorical": "category", "numeric": "number", "vector": "vector"}


@dataclasses.dataclass(frozen=True)
class Schema:
    """What a dataset's columns are called and what they hold.

    A column that stands in a table and not in the schema is read by no model.
    Features are kept in the order of their tensors' names. A feature without a
    tensor name is given one, and what it refers to (`of`, `share`) is looked up
    among the features' names: `brand`, or `ad.brand` where several entities
    have a feature of that name.

    Args:
      source: the name of the source that wrote the dataset.
      user_id_type: `string` or `int64`.
      ad_id_type: `string` or `int64`.
      event_types: known event types; `event_types[i]` has code `i + 1`, code 0
        is an unknown type.
      labels: label columns of impressions, `clicked` first.
      features: of all entities.
      negatives_kept: the share of impressions without a click that the log
        holds, in (0, 1]; those with one are all there.

    Raises:
      InputError: where two features of one entity have one name, or a
        reference cannot be followed.
    """

    source: str
    user_id_type: IdType
    ad_id_type: IdType
    event_types: tuple[str, ...]
    labels: tuple[str, ...] = ("clicked",)
    features: tuple[Feature, ...] = ()
    negatives_kept: float = 1.0

    def __post_init__(self) -> None:
        named = _named(self.features, self.labels)
        object.__setattr__(self, "features", _with_lenders(named))

    def of(self, *entities: Entity) -> tuple[Feature, ...]:
        """The features of some entities."""
        return tuple(f for f in self.features if f.entity in entities)

    def user_id(self, text: str | int) -> str | int:
        """A user's id of the dataset's type.

        Args:
          text: an id, also one that the dataset does not have; text is read as
            a number where ids are numbers.

        Raises:
          InputError: where ids are numbers and the text is none.
        """
        return typed_id("user", text, self.user_id_type)

    def ad_id(self, text: str | int) -> str | int:
        """An ad's id of the dataset's type; as `user_id`."""
        return typed_id("ad", text, self.ad_id_type)

    def ad_category(self, name: str) -> Feature:
        """A category of ads, which requests may filter by.

        Args:
          name: its own, or that of its tensor.

        Raises:
          InputError: where there is none of that name, with those there are.
        """
        return self.ad_feature(name, "category", "a filter")

    def ad_feature(self, name: str, kind: str, what: str) -> Feature:
        """A feature of ads, for what needs one of some kind.

        Args:
          name: its own, or that of its tensor.
          kind: of the feature. Numbers in buckets are none to reckon with.
          what: needs it, for the message.

        Raises:
          InputError: where there is none of that name, with those there are.
        """
        known = [f for f in self.of("ad") if f.kind == kind and not f.bounds]
        for feature in known:
            if name in (feature.name, feature.tensor):
                return feature
        raise InputError(
            f"{what} must be a feature of ads of kind {kind}, one of "
            f"{', '.join(f.name for f in known) or 'none'}. Received: {name!r}."
        )

    def label(self, name: str) -> str:
        """A label by its name.

        Raises:
          InputError: where there is none of that name, with those there are.
        """
        if name not in self.labels:
            raise InputError(
                "what an ad brought and cost are labels of the dataset. "
                f"Received: {name!r}, labels {', '.join(self.labels)}."
                f"{nearest([name], self.labels)} Name one, or prepare the log "
                "with it."
            )
        return name

    @property
    def skipped(self) -> int:
        """The code of events that were shown and not clicked; 0 for none."""
        types = self.event_types
        return types.index(SKIPPED) + 1 if SKIPPED in types else 0

    @property
    def context(self) -> tuple[Feature, ...]:
        """The features of requests, as version 0.1.0 called them."""
        return self.of("context")

    def to_json(self) -> str:
        """The schema as JSON text, as it stands in `schema.json`."""
        fields = {"version": VERSION, **dataclasses.asdict(self)}
        defaults = {f.name: f.default for f in dataclasses.fields(Feature)}
        fields["features"] = [
            {
                key: value
                for key, value in feature.items()
                if value != defaults[key]
                and key != "lender"
                and not (key == "vocabulary" and feature["share"])
            }
            for feature in fields["features"]
        ]
        return json.dumps(fields, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Schema":
        """Reads `schema.json`, also that of version 1.

        Raises:
          InputError: where the text is no schema.
        """
        try:
            fields: dict[str, Any] = parse_json(text)
            version = fields.pop("version", 1)
            if version not in (1, VERSION):
                raise ValueError(f"version {version!r}")
            if version == 1:
                fields = _from_version_1(fields)
            fields["features"] = _shared(
                [_feature(feature) for feature in fields.get("features", ())]
            )
            for key in ("event_types", "labels"):
                fields[key] = tuple(fields[key])
            found = cls(**fields)
            check_types(found)
            return found
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                "schema.json must hold a tfadrec schema. Received: "
                f"{error!r}. Write the dataset again with `tfadrec prepare`."
            ) from error


def typed_id(of: str, text: str | int, kind: IdType) -> str | int:
    """An id of one type; see `Schema.user_id`."""
    if isinstance(text, bool) or not isinstance(text, str | numbers.Integral):
        raise InputError(
            f"{of} ids are texts or integers. Received: {str(text)[:40]!r}."
        )
    if kind == "string":
        return _in_utf8(of, str(text))
    try:
        number = int(text)
    except ValueError:
        number = _OUTSIDE
    if "_" in str(text):  # which Python reads as digits' separator
        number = _OUTSIDE
    if not -_OUTSIDE <= number < _OUTSIDE:
        raise InputError(
            f"{of} ids are 64-bit integers here. Received: {str(text)[:40]!r}."
        )
    return number


def _in_utf8(of: str, text: str) -> str:
    """A text, which no half of a character is in.

    Python has such halves for bytes of a command line that are not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{of} ids are texts in UTF-8. Received: {text[:40]!r}."
        ) from error
    return text


def _feature(fields: Mapping[str, Any]) -> Feature:
    listed: dict[str, Any] = {
        key: tuple(tuple(v) if isinstance(v, list) else v for v in value)
        for key, value in fields.items()
        if isinstance(value, list)
    }
    found = Feature(**{**fields, **listed})
    check_types(found)
    return found


def _shared(features: list[Feature]) -> tuple[Feature, ...]:
    """The features, with the vocabularies that they share."""
    owners = {feature.tensor: feature for feature in features}
    return tuple(
        dataclasses.replace(f, vocabulary=owners[f.share].vocabulary)
        if f.share
        else f
        for f in features
    )


def _with_lenders(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """The features, with those whose embeddings others read.

    A model makes the features of its entities one after another, and an
    embedding is lent by the first that there is of those that share it.
    """
    sharing: dict[str, list[Feature]] = {}
    for feature in features:
        if feature.kind in _EMBEDDED:
            sharing.setdefault(feature.share or feature.tensor, []).append(
                feature
            )
    lenders = {
        owner: min(
            group,
            # The owner of the vocabulary, where it is as early as others.
            key=lambda f: (_MADE.index(f.entity), bool(f.share), f.tensor),
        ).tensor
        for owner, group in sharing.items()
    }
    found = []
    for feature in features:
        owner = feature.share or feature.tensor
        lender = lenders.get(owner, owner)
        if feature.kind not in _EMBEDDED or lender == owner:
            lender = ""
        found.append(dataclasses.replace(feature, lender=lender))
    return tuple(found)


def _from_version_1(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Version 1 had features of ads and of the context alone."""
    fields = dict(fields)
    features = []
    for entity, key in (("ad", "ad_features"), ("context", "context")):
        for feature in fields.pop(key, ()):
            kind = _KINDS_1[feature["kind"]]
            features.append(
                {
                    **feature,
                    "entity": entity,
                    "kind": kind,
                    "column": feature["name"],
                }
            )
    return fields | {"features": features}


def _named(
    features: tuple[Feature, ...], labels: tuple[str, ...]
) -> tuple[Feature, ...]:
    """The features with names of their tensors, sorted by these."""
    seen = set()
    for feature in features:
        if feature.entity not in ENTITIES:
            raise InputError(
                f"a feature belongs to one of {', '.join(ENTITIES)}. Received: "
                f"{feature.entity!r} for {feature.name!r}."
            )
        if (feature.entity, feature.name) in seen:
            raise InputError(
                f"the features of an entity must have names of their own. "
                f"Received: {feature.name!r} twice for the {feature.entity}. "
                "Rename one."
            )
        seen.add((feature.entity, feature.name))
    if all(feature.tensor for feature in features):
        return tuple(sorted(features, key=lambda f: f.tensor))
    made = tensor_names([(f.entity, f.name) for f in features], labels)
    tensors = [f.tensor or m for f, m in zip(features, made, strict=True)]
    known: dict[str, list[str]] = {}
    for feature, tensor in zip(features, tensors, strict=True):
        # A feature called `ad.brand` is found by its own name as well.
        for name in (feature.name, f"{feature.entity}.{feature.name}"):
            known.setdefault(name, []).append(tensor)

    def follow(name: str, of: str) -> str:
        found = known.get(name, [])
        if len(found) != 1:
            what = "no feature" if not found else "features of several entities"
            raise InputError(
                f"the feature {of!r} must refer to one other feature. "
                f"Received: {name!r}, which names {what}. Name one of "
                f"{', '.join(known) or 'none'}."
            )
        return found[0]

    resolved = (
        feature
        if feature.tensor
        else dataclasses.replace(
            feature,
            tensor=tensor,
            column=feature.column or tensor,
            of=tuple(follow(name, feature.name) for name in feature.of),
            share=feature.share and follow(feature.share, feature.name),
        )
        for feature, tensor in zip(features, tensors, strict=True)
    )
    return tuple(sorted(resolved, key=lambda f: f.tensor))
