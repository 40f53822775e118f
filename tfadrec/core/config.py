"""The settings of a run, as they stand in its YAML file."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args

import yaml

from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest
from tfadrec.core.read_yaml import read_yaml

Model = Literal["ranker", "retriever", "cross_encoder"]
#: What a retriever has in place of the defaults, and sections that it lacks. It
#: has fewer steps than a ranker, and the rate was chosen on validation rows
#: (`benchmarks/RESULTS.md`).
_OF_RETRIEVERS = {
    "encoder": {"class": "GRU"},
    "optimizer": {"class": "LazyAdam", "learning_rate": 0.004},
    "matching": None,
    "text_matching": None,
    "fold_in": None,
    "retriever": {},
}
_NOT_OF_RETRIEVERS = (
    *("matching", "interaction", "multitask", "text_matching", "ranker"),
    *("fold_in", "calibration", "fairness", "cross_encoder"),
)
#: What a cross-encoder has in place of the defaults (`benchmarks/RESULTS.md`).
_OF_CROSS_ENCODERS = {
    "text": {
        "model": "minilm",
        "max_tokens": 32,
        "tuning": {"class": "top_layers", "k": 2},
        "dtype": "mixed_bfloat16",
    },
    "optimizer": {
        "class": "CompositeOptimizer",
        "groups": {"^text/": {"class": "LazyAdam", "learning_rate": 0.0001}},
        "default": {"class": "LazyAdam", "learning_rate": 0.001},
    },
    "matching": None,
    "text_matching": None,
    "fold_in": None,
    "cross_encoder": {},
}
_NOT_OF_CROSS_ENCODERS = (
    *("ad_tower", "encoder", "user_tower", "matching", "interaction"),
    *("multitask", "text_matching", "ranker", "fold_in", "calibration"),
    *("fairness", "track", "retriever"),
)
#: Model -> its defaults, and the sections that it lacks.
_OF_MODELS: Mapping[Model, tuple[Mapping[str, Any], tuple[str, ...]]] = {
    "ranker": ({}, ("cross_encoder", "retriever")),
    "retriever": (_OF_RETRIEVERS, _NOT_OF_RETRIEVERS),
    "cross_encoder": (_OF_CROSS_ENCODERS, _NOT_OF_CROSS_ENCODERS),
}


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """One section per piece of the ranker; the keys are constructor arguments.

    `class` names the layer where there is a choice. A section left out stands
    at its class's own defaults; `text: null` gives a ranker that does not read
    the ad copy, `matching: null` one without a matching layer. `interaction`
    and `multitask` are null unless they are given.

    `model: retriever` stands beside the sections. Such a run has no matching,
    no head and no calibration, its encoder is `GRU` unless it names one, and
    its optimiser `LazyAdam` at 0.004.

    `model: cross_encoder` has the sections `text`, `cross_encoder`,
    `optimizer`, `fit` and `data`, with defaults of its own: MiniLM of 32 tokens
    whose two top layers are trained at 0.0001.

    Args:
      text: `model`, `pooling`, `tuning` and more; see `training.text_model`.
      ad_tower: arguments of `AdTower`.
      encoder: `class` and arguments of a behaviour encoder.
      user_tower: arguments of `UserTower`, and `use_id`; `ids` has `class` and
        arguments of `HashedIdEmbedding` or `DynamicIdEmbedding`.
      matching: `class` and arguments of a matching layer.
      interaction: `class` and arguments of an interaction layer.
      multitask: `class` and arguments of a multi-task layer, without
        `num_tasks`, which the ranker's `tasks` tell.
      text_matching: arguments of `TextMatching`, which a ranker has that reads
        the ad copy, or null.
      fold_in: arguments of `FoldIn`, which a ranker has where the dataset suits
        it (see `models.dataset_sizes.folds_in`), or null.
      ranker: arguments of `AdRanker`.
      optimizer: `class` and arguments of an optimiser.
      fit: arguments of `training.fit`, and `seed`.
      data: `history_length`, and the shares `valid` and `test`.
      calibration: `method` and `field` of `fit_calibration`, which then learns
        from the validation rows once the ranker is trained, or null.
      fairness: arguments of `losses.GroupGap`, a penalty that the ranker is
        trained with, or null.
      cross_encoder: arguments of `CrossEncoder`; None for other models.
      retriever: arguments of `AdRetriever`; None for other models.
      track: arguments of `training.tracking.trackers`, or null. It changes
        nothing of the run.
      model: `ranker`, `retriever` or `cross_encoder`.
      distil: the folder of a run that is imitated: of a ranker, by a retriever
        in place of clicks (see `training.train_retriever`), or of a ranker or a
        cross-encoder, by a ranker beside clicks (see `training.train`).
    """

    text: Mapping[str, Any] | None = dataclasses.field(
        default_factory=lambda: {"model": "minilm"}
    )
    ad_tower: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    encoder: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {"class": "DIN"}
    )
    user_tower: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    matching: Mapping[str, Any] | None = dataclasses.field(
        default_factory=lambda: {"class": "AttentionMatching"}
    )
    interaction: Mapping[str, Any] | None = None
    multitask: Mapping[str, Any] | None = None
    text_matching: Mapping[str, Any] | None = dataclasses.field(
        default_factory=dict
    )
    fold_in: Mapping[str, Any] | None = dataclasses.field(default_factory=dict)
    ranker: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    optimizer: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {"class": "LazyAdam"}
    )
    fit: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    fairness: Mapping[str, Any] | None = None
    cross_encoder: Mapping[str, Any] | None = None
    retriever: Mapping[str, Any] | None = None
    track: Mapping[str, Any] | None = None
    model: Model = "ranker"
    distil: str | None = None

    @classmethod
    def from_yaml(cls, text: str | bytes) -> "RunConfig":
        """Reads a YAML text, which is UTF-8 where it is bytes.

        Raises:
          InputError: where it is no YAML, or names an unknown section or model,
            or a section that the model does not have.
        """
        settings = read_settings(text)
        model = settings.pop("model", "ranker")
        distil = settings.pop("distil", None)
        sections = _checked(settings)
        if model not in get_args(Model):
            raise InputError(
                f"`model` must be one of {', '.join(get_args(Model))}. "
                f"Received: model={model!r}."
            )
        can_imitate = model != "cross_encoder"
        if not isinstance(distil, str | None) or (distil and not can_imitate):
            raise InputError(
                "`distil` must be the folder of a run, beside the settings of "
                f"a ranker or a retriever. Received: distil={distil!r}, "
                f"model={model!r}."
            )
        defaults, without = _OF_MODELS[model]
        for name in without:
            if sections.get(name):
                raise InputError(
                    f"a {model} has no section {name!r}. Received: "
                    f"{sections[name]!r}. Leave it out."
                )
        return cls(model=model, distil=distil, **{**defaults, **sections})

    def sections(self) -> dict[str, Any]:
        """Section -> its settings."""
        found = dataclasses.asdict(self)
        return {k: v for k, v in found.items() if k not in ("model", "distil")}

    def to_yaml(self) -> str:
        """The settings as YAML text, which `from_yaml` reads back.

        Without `track`: a run is the same one however it is tracked.
        """
        settings = self.sections()
        del settings["track"]
        for name in ("fairness", "cross_encoder"):
            if settings[name] is None:
                del settings[name]  # which runs had not from the beginning
        if not settings["retriever"]:
            del settings["retriever"]  # nor this, where it stands empty
        if self.model == "cross_encoder":
            for name in _NOT_OF_CROSS_ENCODERS:
                settings.pop(name, None)
        if self.model != "ranker" or self.distil is not None:
            beside = {"model": self.model, "distil": self.distil}
            settings = {**beside, **settings}
        return yaml.safe_dump(settings, sort_keys=False)


def read_settings(text: str | bytes) -> dict[str, Any]:
    """The sections or settings of a YAML text, UTF-8 where it is bytes.

    Raises:
      InputError: where it is no YAML, no mapping, or has a key twice.
    """
    found = read_yaml(text) or {}
    if not isinstance(found, dict):
        raise InputError(
            "a config must be sections with settings. Received: "
            f"{type(found).__name__}."
        )
    return found


def read_sections(text: str | bytes) -> dict[str, Any]:
    """The sections of a config's YAML text, which is UTF-8 where it is bytes.

    Raises:
      InputError: where it is no YAML, or names an unknown section.
    """
    return _checked(read_settings(text))


def _checked(sections: dict[str, Any]) -> dict[str, Any]:
    """The same sections, by names that there are, and with settings."""
    known = list(RunConfig().sections())
    optional = (
        *("text", "matching", "interaction", "multitask", "text_matching"),
        *("fold_in", "calibration", "fairness", "track"),
    )
    for name, section in sections.items():
        if name not in known:
            raise InputError(
                f"a config has the sections {', '.join(known)}. Received: "
                f"{name!r}.{nearest([name], known)}"
            )
        if section is None and name in optional:
            continue
        if not isinstance(section, dict):
            raise InputError(
                f"the section {name!r} must hold `setting: value` lines. "
                f"Received: {section!r}."
            )
    return sections
