"""A run's settings to a compiled ranker."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec import layers, models, towers
from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset
from tfadrec.data.text_vectors import encode_text
from tfadrec.data.tokenizer import Tokenizer
from tfadrec.training.settings import (
    TEXT,
    classes_of,
    refuse_unknown,
    settings_of,
)


def with_text(dataset: Dataset, text: Mapping[str, Any] | None) -> Dataset:
    """The dataset with the ad copy as a vector column of its catalogue.

    Args:
      dataset: any dataset.
      text: `model` (a name or folder), and optionally `pooling` and
        `max_tokens`; None gives the dataset back as it is.

    Raises:
      InputError: where a setting is unknown, or the model cannot be had.
    """
    if text is None:
        return dataset
    settings = {**TEXT, **text}
    if set(settings) != set(TEXT) or "model" not in text:
        raise InputError(
            "`text` takes model, pooling, max_tokens, and needs model. "
            f"Received: {', '.join(map(str, text)) or 'nothing'}."
        )
    try:
        encoder = layers.BertAdEncoder.from_pretrained(
            settings["model"], pooling=settings["pooling"]
        )
        tokenizer = Tokenizer.from_pretrained(
            settings["model"], max_tokens=settings["max_tokens"]
        )
    except TypeError as error:
        raise InputError(f"`text`: {error}") from error
    return dataset.with_catalogue(
        encode_text(dataset.catalogue, tokenizer, encoder)
    )


def build_ranker(
    config: RunConfig, dataset: Dataset, seed: int = 0
) -> models.AdRanker:
    """Makes and compiles the ranker that the settings describe.

    Args:
      config: the settings.
      dataset: gives the sizes; see `with_text` for its text.
      seed: of the first weights and of dropout.

    Returns:
      A built and compiled ranker.

    Raises:
      InputError: where a class or an argument is unknown, or a value is not
        what the class takes.
    """
    schema = dataset.schema
    tasks = _tasks(config, dataset)
    user_tower = dict(config.user_tower)
    use_id = user_tower.pop("use_id", True)
    context = {
        f.name: len(f.vocabulary) + 1 if f.kind == "categorical" else None
        for f in schema.context
    }
    ad_tower = _make(
        "ad_tower", towers.AdTower, config.ad_tower, catalogue=dataset.catalogue
    )
    tower = _make(
        "user_tower",
        towers.UserTower,
        user_tower,
        encoder=_choose("encoder", config.encoder),
        num_event_types=len(schema.event_types) + 1,
        num_users=len(dataset.user_ids) + 1 if use_id else 0,
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
        multitask=config.multitask
        and _choose("multitask", config.multitask, num_tasks=len(tasks)),
        context=context,
    )
    try:
        keras.utils.set_random_seed(seed)
        ranker.build()
    except (TypeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise InputError(f"the ranker's settings must fit: {line}") from error
    ranker.compile(_choose("optimizer", config.optimizer))
    try:
        ranker.optimizer.build(ranker.trainable_variables)
    except ValueError as error:
        raise InputError(f"`optimizer`: {error}") from error
    return ranker


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
