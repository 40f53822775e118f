"""The labels in the YAML file of a table source."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.names import RESERVED
from tfadrec.data.intake.row_filter import read_condition
from tfadrec.data.sources.known_keys import refuse_unknown_keys
from tfadrec.data.sources.table_spec import LabelSpec, TableConfig

LABEL_KEYS = ("clicked", "converted", "labels", "counts", "negatives_kept")
_TYPES = ("binary", "real")
_SIDES = ("positive", "negative")
_NAME = r"[A-Za-z][A-Za-z0-9_]{0,47}"


def read_labels(section: Mapping[str, Any]) -> dict[str, LabelSpec]:
    """The labels of a section, `clicked` and `converted` first.

    Raises:
      InputError: where a name, a column or a type is not what it must be.
    """
    labels = {}
    for name in ("clicked", "converted"):
        if section.get(name) is not None:
            labels[name] = _label(name, section[name], f"impressions.{name}")
    others = section.get("labels")
    if others is None:
        return labels
    if not isinstance(others, dict):
        raise InputError(
            "impressions.labels must give the type of each label. Received: "
            f"{others!r}. Write {{name: real}} or {{name: {{column: …, type: "
            "binary}}."
        )
    for name, value in others.items():
        if (
            not isinstance(name, str)
            or not re.fullmatch(_NAME, name)
            or name.lower() in RESERVED
        ):
            raise InputError(
                "the name of a label must be at most 48 letters, digits and "
                "underscores, begin with a letter, and mean nothing else. "
                f"Received: {name!r}. Write {{another_name: {{column: …, type: "
                "real}}."
            )
        if name.lower() in {known.lower() for known in labels}:
            raise InputError(
                "labels must have names of their own, also where capitals are "
                f"ignored. Received: {name!r} twice. Write {{another_name: "
                "{column: …, type: real}}."
            )
        labels[name] = _label(name, value, f"impressions.labels.{name}")
    return labels


def _label(name: str, value: Any, where: str) -> LabelSpec:
    if name in ("clicked", "converted"):
        shapes = [{"column"}]
        example = "the name of a column, or {column: …}"
        given = {"column": value} if isinstance(value, str) else value
    else:
        shapes = [{"type"}, {"column", "type"}]
        example = "binary, real, or {column: …, type: binary or real}"
        given = {"type": value} if isinstance(value, str) else value
    plain = dict(given) if isinstance(given, dict) else {}
    keys = [k for k in ("column", "type") if any(k in s for s in shapes)]
    refuse_unknown_keys(plain, [*keys, *_SIDES], where)
    conditions = {k: plain.pop(k) for k in _SIDES if k in plain}
    if (
        set(plain) not in shapes
        or not all(isinstance(v, str) and v for v in plain.values())
        or plain.get("type", "binary") not in _TYPES
    ):
        raise InputError(
            f"{where} must be {example}. Received: {value!r}. Write one of "
            "these."
        )
    spec = LabelSpec(**{"column": name, **plain})
    if not conditions:
        return spec
    if spec.type != "binary":
        raise InputError(
            f"{where} is of real numbers, which are read as they are. "
            f"Received: {value!r}. Leave {' and '.join(conditions)} out, or "
            "write `type: binary`."
        )
    if set(conditions) != set(_SIDES):
        raise InputError(
            f"{where} must say both which values of a binary label are "
            f"`positive` and which are `negative`. Received: {value!r}. Write "
            "{column: …, positive: [yes], negative: [no]}, or as `where` "
            'would, {column: …, positive: ">=4", negative: "<4"}.'
        )
    positive, negative = (
        read_condition(spec.column, conditions[side], f"{where}.{side}")
        for side in _SIDES
    )
    return dataclasses.replace(spec, positive=positive, negative=negative)


def read_counts(section: Mapping[str, Any]) -> dict[str, str]:
    """The columns of counts, where the log is aggregated.

    Raises:
      InputError: where they are not two columns.
    """
    counts = section.get("counts")
    if counts is None:
        return {}
    if (
        not isinstance(counts, dict)
        or set(counts) != {"impressions", "clicks"}
        or not all(isinstance(v, str) and v for v in counts.values())
    ):
        raise InputError(
            "impressions.counts must name two columns. Received: "
            f"{counts!r}. Write {{impressions: …, clicks: …}}."
        )
    return {key: counts[key] for key in ("impressions", "clicks")}


def read_negatives_kept(section: Mapping[str, Any]) -> float:
    """The share of impressions without a click that the log holds.

    Raises:
      InputError: where it is no number in (0, 1].
    """
    value = section.get("negatives_kept")
    if value is None:
        return 1.0
    if type(value) not in (int, float) or not 0 < value <= 1:
        raise InputError(
            "impressions.negatives_kept must be a share in (0, 1]. Received: "
            f"{value!r}. Write 0.1 where one in ten was kept."
        )
    return float(value)


def check_labels(config: TableConfig) -> None:
    """Refuses labels that do not go with each other.

    Raises:
      InputError: where `clicked` cannot be told, or is told twice.
    """
    spec = config.impressions
    counts, sampled = bool(spec.counts), config.sampling is not None
    if not sampled and not counts and "clicked" not in spec.labels:
        raise InputError(
            "impressions must name 'clicked', or `counts`, or negatives must "
            f"be sampled. Received: {', '.join([*spec.columns, *spec.labels])}."
            " Name the column of the label, or add a `sampling` section where "
            "every row is a purchase."
        )
    _check_features(config)
    if counts:
        unfit = [*spec.labels, *({"weight"} & set(spec.columns))]
        if sampled:
            unfit.append("sampling")
        if unfit:
            raise InputError(
                "counts give `clicked` and the weights of rows, and go without "
                f"other labels. Received: {', '.join(unfit)}. Remove these, or "
                "the counts."
            )
    if sampled:
        shown = [
            f.name
            for f in spec.features
            if f.entity == "candidate" and f.columns
        ]
        unfit = [*spec.labels, *({"history"} & set(spec.columns)), *shown]
        if config.negatives_kept != 1:
            unfit.append("negatives_kept")
        if unfit:
            raise InputError(
                "rows to sample for are positive and have no labels, position, "
                "other candidate features or history. Received: "
                f"{', '.join(sorted(unfit))}. Remove these, or the sampling."
            )


def _check_features(config: TableConfig) -> None:
    """Refuses features that are read off the column of a label."""
    spec = config.impressions
    told = {label.column for label in spec.labels.values()}
    told |= {column for key, column in spec.counts.items() if key == "clicks"}
    for table in (config.ads, config.users, spec):
        if table is None or table.place != spec.place:
            continue
        for feature in table.features:
            shared = told.intersection(feature.columns)
            if shared:
                raise InputError(
                    "the column of a label must be no feature. Received: "
                    f"{feature.name!r}, which reads {min(shared)!r} and so "
                    "tells the label. Take this feature out."
                )
