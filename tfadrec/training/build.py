"""A run's settings to a compiled ranker."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec import layers, models, towers
from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset
from tfadrec.models.dataset_sizes import DEFAULT_RANK, has_text_vectors
from tfadrec.training.settings import (
    classes_of,
    refuse_unknown,
    settings_of,
)
from tfadrec.training.text import is_tuned, keep_lower_layers, text_model


def build_ranker(
    config: RunConfig, dataset: Dataset, seed: int = 0
) -> models.AdRanker:
    """Makes and compiles the ranker that the settings describe.

    Args:
      config: the settings.
      dataset: gives the sizes; `with_text` has given it its ad copy.
      seed: of the first weights and of dropout.

    Returns:
      A built and compiled ranker.

    Raises:
      InputError: where a class or an argument is unknown, or a value is not
        what the class takes.
    """
    tasks = _tasks(config, dataset)
    user_tower = dict(config.user_tower)
    sizes = models.dataset_sizes(dataset)
    if not user_tower.pop("use_id", True):
        sizes["user_tower"]["num_users"] = 0
    encoder = None
    if config.text is not None and is_tuned(config.text):
        _set_seed(seed)  # of what the tuning adds
        _, encoder = text_model(config.text)
    ad_settings = _ad_tower(config, dataset)
    text_matching = None
    if config.text_matching is not None and (
        encoder or has_text_vectors(dataset.catalogue)
    ):
        ad_settings.setdefault("text_rank", DEFAULT_RANK)
        text_matching = _make(
            "text_matching",
            layers.TextMatching,
            config.text_matching,
            **sizes["text_matching"],
        )
    ad_tower = _make(
        "ad_tower",
        towers.AdTower,
        ad_settings,
        text=encoder,
        **sizes["ad_tower"],
    )
    tower = _make(
        "user_tower",
        towers.UserTower,
        user_tower,
        encoder=_choose("encoder", config.encoder),
        **sizes["user_tower"],
    )
    ranker = _make(
        "ranker",
        models.AdRanker,
        config.ranker,
        ad_tower=ad_tower,
        user_tower=tower,
        matching=config.matching and _choose("matching", config.matching),
        interaction=config.interaction
        and _choose("interaction", config.interaction),
        text_matching=text_matching,
        multitask=config.multitask
        and _choose("multitask", config.multitask, num_tasks=len(tasks)),
        **sizes["ranker"],
    )
    _set_seed(seed)
    try:
        ranker.build()
    except (TypeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise InputError(f"the ranker's settings must fit: {line}") from error
    if encoder is not None:
        keep_lower_layers(ranker, dataset.catalogue)
    optimizer = _choose("optimizer", config.optimizer)
    try:
        ranker.compile(optimizer)
        ranker.optimizer.build(ranker.trainable_variables)
    except ValueError as error:
        raise InputError(f"`optimizer`: {error}") from error
    return ranker


def _ad_tower(config: RunConfig, dataset: Dataset) -> dict[str, Any]:
    """The settings of the ad tower, which names features as users do."""
    settings = dict(config.ad_tower)
    tensors = {f.name: f.tensor for f in dataset.schema.of("ad")}
    category = settings.get("category")
    if isinstance(category, str):
        settings["category"] = tensors.get(category, category)
    return settings


def _set_seed(seed: int) -> None:
    try:
        keras.utils.set_random_seed(seed)
    except (TypeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise InputError(f"the seed must fit: {line}") from error


def _tasks(config: RunConfig, dataset: Dataset) -> Sequence[str]:
    """The ranker's tasks, which have to be labels that fit together."""
    tasks = config.ranker.get("tasks", ["clicked"])
    labels = dataset.impressions.labels
    known = list(labels)
    if isinstance(tasks, str) or any(task not in known for task in tasks):
        raise InputError(
            "`tasks` must be a list of labels of the dataset, of "
            f"{', '.join(known)}. Received: {tasks!r}."
        )
    if {"clicked", "converted"} <= set(tasks):
        alone = labels["converted"] > labels["clicked"]
        if alone.any():
            raise InputError(
                "with the tasks clicked and converted, conversions need a "
                f"click. Received: {int(alone.sum())} without one. Mend the "
                "labels, or train on one of the two."
            )
    return tasks


def _choose(section: str, settings: Mapping[str, Any], **given):
    """An object of the class that a section names."""
    settings = dict(settings)
    name = settings.pop("class", None)
    classes = classes_of(section)
    if not isinstance(name, str) or name not in classes:
        raise InputError(
            f"`{section}` needs a class, one of {', '.join(classes)}. "
            f"Received: class={name!r}."
        )
    settings = {
        key: _nested(f"{section}.{key}", value)
        for key, value in settings.items()
    }
    return _make(section, classes[name], settings, **given)


def _nested(section: str, value: Any):
    """A setting, with an object where it holds a choice of its own."""
    if not isinstance(value, Mapping):
        return value
    if "class" in value:
        return _choose(section, value)
    return {k: _nested(f"{section}.{k}", v) for k, v in value.items()}


def _make(section: str, made: type, settings: Mapping[str, Any], **given):
    accepted = settings_of(section, made)
    refuse_unknown(f"`{section}` ({made.__name__})", accepted, settings)
    if issubclass(made, keras.layers.Layer):
        # Keras would number the names of a process's second ranker.
        given["name"] = section
    try:
        return made(**given, **settings)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{section}`: {error}") from error
