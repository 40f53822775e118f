"""A run's settings to a compiled ranker."""

import functools
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from tfadrec import layers, losses, models, towers
from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Entity
from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions
from tfadrec.layers.features.kinds import columns_of
from tfadrec.models.dataset_sizes import (
    DEFAULT_RANK,
    DIRECTIONS,
    has_text_vectors,
    slope_sizes,
)
from tfadrec.runs.check import check_schema, check_sections, class_of
from tfadrec.runs.custom import modules_named
from tfadrec.training.by_size import fold_in_chosen
from tfadrec.training.text import is_tuned, keep_lower_layers, text_model

#: Of the vectors that stand for ad copy where its model has not been read.
_WIDTH = 8


def build_ranker(
    config: RunConfig,
    dataset: Dataset,
    seed: int = 0,
    allow_import: Collection[str] = (),
) -> models.AdRanker:
    """Makes and compiles the ranker that the settings describe.

    Args:
      config: the settings.
      dataset: gives the sizes; `with_text` has given it its ad copy.
      seed: of the first weights and of dropout.
      allow_import: modules whose classes the settings may name.

    Returns:
      A built and compiled ranker.

    Raises:
      InputError: where a class or an argument is unknown, or a value is not
        what the class takes.
    """
    check_sections(config.sections(), allow_import)
    check_schema(config.sections(), dataset.schema)
    _check_conversions(config, dataset)
    encoder = None
    if config.text is not None and is_tuned(config.text):
        _set_seed(seed)  # of what the tuning adds
        _, encoder = text_model(config.text)
    ranker = _assemble(config, dataset, seed, allow_import, encoder)
    if encoder is not None:
        keep_lower_layers(ranker, dataset.catalogue)
    _compile(ranker, config, allow_import, _group_gap(config, dataset.schema))
    return ranker


def check_builds(
    config: RunConfig, schema: Schema, allow_import: Collection[str] = ()
) -> models.AdRanker:
    """Refuses settings of which no ranker can be built, before rows are read.

    It builds one for a dataset of the schema without ads, users and rows, in
    which the ad copy is a column of vectors.

    Args:
      config: the settings.
      schema: of the dataset.
      allow_import: modules whose classes the settings may name.

    Returns:
      That ranker, without its language model.

    Raises:
      InputError: as `build_ranker`.
    """
    dataset = _stand_in(config, schema)
    is_frozen = config.text is None or not is_tuned(config.text)
    seed = config.fit.get("seed", 0)
    ranker = _assemble(config, dataset, seed, allow_import, None)
    if is_frozen:  # else an optimiser may look for the language model's weights
        gap = _group_gap(config, schema)
        _compile(ranker, config, allow_import, gap)
    if modules_named(config.sections()):
        _check_reads(ranker, dataset)
    return ranker


def _check_reads(ranker: models.AdRanker, dataset: Dataset) -> None:
    """Refuses classes of a user's own that cannot read what layers are given.

    Args:
      ranker: built.
      dataset: has a row for it to read.
    """
    rows = next(iter(dataset.batches(1)))[0]
    try:
        ranker(rows, training=True)
    except Exception as error:  # What others have written may raise anything.
        raise InputError(
            "a class of your own is called as ours of its section are. "
            f"Received: one that fails on the first row: {_said_by(error)} See "
            "docs/layers.md, and correct its `call`."
        ) from error


def _said_by(error: Exception) -> str:
    """What a layer said, without what Keras says it was given."""
    said = str(error.args[0] if error.args else error)
    return " ".join(said.partition("Call arguments")[0].split())[:300]


def build_retriever(
    config: RunConfig,
    train: Dataset,
    seed: int = 0,
    allow_import: Collection[str] = (),
) -> models.AdRetriever:
    """Makes and compiles the retriever that the settings describe.

    Args:
      config: the settings, of a retriever.
      train: the rows to learn from, which tell the sizes and how often ads are
        clicked; `with_text` has given it its ad copy.
      seed: of the first weights and of dropout.
      allow_import: modules whose classes the settings may name.

    Returns:
      A built and compiled retriever.

    Raises:
      InputError: where a class or an argument is unknown, a value is not what
        the class takes, or ad copy is to be read by a model that is tuned.
    """
    if config.text is not None and is_tuned(config.text):
        raise InputError(
            "a retriever reads ad copy by a language model that stays as it "
            f"is. Received: text.tuning={config.text['tuning']!r}. Leave "
            "`tuning` out."
        )
    check_sections(config.sections(), allow_import)
    user_tower = dict(config.user_tower)
    use_id = user_tower.pop("use_id", True)
    _set_seed(seed)
    encoder = _choose("encoder", config.encoder, allow_import)
    try:
        retriever = models.AdRetriever.for_dataset(
            train,
            encoder,
            use_user_id=use_id,
            ad_tower=_ad_tower(config, train),
            user_tower=user_tower,
            name="retriever",
            **(config.retriever or {}),
        )
    except (TypeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise InputError(
            f"the retriever's settings must fit: {line}"
        ) from error
    _compile(retriever, config, allow_import)
    return retriever


def build_cross_encoder(
    config: RunConfig,
    dataset: Dataset,
    seed: int = 0,
    allow_import: Collection[str] = (),
) -> models.CrossEncoder:
    """Makes and compiles the cross-encoder that the settings describe.

    Args:
      config: the settings, of a cross-encoder.
      dataset: gives the sizes; `with_text` has given it its tokens.
      seed: of the first weights and of dropout.
      allow_import: modules whose classes the settings may name.

    Returns:
      A built and compiled cross-encoder.

    Raises:
      InputError: where a class or an argument is unknown, or a value is not
        what the class takes.
    """
    check_sections(config.sections(), allow_import)
    assert config.text is not None
    _set_seed(seed)
    _, encoder = text_model(config.text)
    try:
        reader = models.CrossEncoder(
            encoder,
            dataset.catalogue,
            len(dataset.schema.event_types) + 1,
            name="cross_encoder",
            **(config.cross_encoder or {}),
        )
        reader.build()
    except (TypeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise InputError(f"`cross_encoder`: {line}") from error
    _compile(reader, config, allow_import)
    return reader


def _assemble(
    config: RunConfig,
    dataset: Dataset,
    seed: int,
    allow_import: Collection[str],
    encoder: keras.layers.Layer | None,
) -> models.AdRanker:
    """The ranker with its first weights, without an optimiser."""
    choose = functools.partial(_choose, allow_import=allow_import)
    user_tower = dict(config.user_tower)
    sizes = models.dataset_sizes(dataset)
    if not user_tower.pop("use_id", True):
        sizes["user_tower"]["num_users"] = 0
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
    fold_in = None
    opinions = fold_in_chosen(config, dataset)
    if opinions is not None:
        if text_matching is not None and encoder is None:
            opinions = {"text_rank": DIRECTIONS, **opinions}
        fold_in = _make("fold_in", layers.FoldIn, opinions, **sizes["fold_in"])
        ad_settings["num_factors"] = fold_in.num_factors
    of_ads, of_users, of_context = slope_sizes(
        dataset,
        sizes | {"user_tower": {**sizes["user_tower"], **user_tower}},
        use_ad_id=ad_settings.get("use_id", True),
        folds_in=fold_in is not None,
        matches_texts=text_matching is not None,
        reads_vectors=text_matching is not None and encoder is None,
    )
    ad_tower = _make(
        "ad_tower",
        towers.AdTower,
        ad_settings,
        text=encoder,
        **of_ads,
        **sizes["ad_tower"],
    )
    tower = _make(
        "user_tower",
        towers.UserTower,
        user_tower,
        encoder=choose("encoder", config.encoder),
        **of_users,
        **sizes["user_tower"],
    )
    tasks = config.ranker.get("tasks", ("clicked",))
    ranker = _make(
        "ranker",
        models.AdRanker,
        config.ranker,
        ad_tower=ad_tower,
        user_tower=tower,
        matching=config.matching and choose("matching", config.matching),
        interaction=config.interaction
        and choose("interaction", config.interaction),
        text_matching=text_matching,
        fold_in=fold_in,
        multitask=config.multitask
        and choose("multitask", config.multitask, num_tasks=len(tasks)),
        **of_context,
        **sizes["ranker"],
    )
    _set_seed(seed)
    try:
        ranker.build()
    except (TypeError, ValueError) as error:
        line = " ".join(str(error).split())
        raise InputError(f"the ranker's settings must fit: {line}") from error
    return ranker


def _group_gap(config: RunConfig, schema: Schema) -> losses.GroupGap | None:
    """The penalty that the settings ask for, its field by the tensor's name."""
    if config.fairness is None:
        return None
    settings = dict(config.fairness)
    for feature in schema.of("ad", "user", "context", "candidate"):
        named = (feature.name, f"{feature.entity}.{feature.name}")
        if settings["field"] in named and feature.kind == "category":
            settings["field"] = feature.tensor
            break
    return losses.GroupGap(**settings)


def _compile(
    model: keras.Model,
    config: RunConfig,
    allow_import: Collection[str],
    group_gap: losses.GroupGap | None = None,
) -> None:
    optimizer = _choose("optimizer", config.optimizer, allow_import)
    more = {} if group_gap is None else {"group_gap": group_gap}
    try:
        model.compile(optimizer, **more)
        model.optimizer.build(model.trainable_variables)
    except ValueError as error:
        raise InputError(f"`optimizer`: {error}") from error


def check_builds_retriever(
    config: RunConfig, schema: Schema, allow_import: Collection[str] = ()
) -> None:
    """Refuses settings of which no retriever can be built, without its rows.

    Args:
      config: the settings.
      schema: of the dataset.
      allow_import: modules whose classes the settings may name.

    Raises:
      InputError: as `build_retriever`.
    """
    dataset = _stand_in(config, schema)
    seed = config.fit.get("seed", 0)
    retriever = build_retriever(config, dataset, seed, allow_import)
    rows = next(iter(dataset.batches(1)))[0]
    try:
        retriever(rows)
    except ValueError as error:
        # The retriever itself is no news.
        said = re.sub(
            r"^Exception .*\(type AdRetriever\)\. ", "", _said_by(error)
        )
        raise InputError(f"`encoder`: {said}") from error


def _stand_in(config: RunConfig, schema: Schema) -> Dataset:
    """A dataset of one row, with a column for the ad copy that is read."""
    dataset = _of_nobody(schema)
    if config.text is None:
        return dataset
    vectors = np.zeros([0, _WIDTH], np.float32)
    catalogue = dataset.catalogue.with_vectors("text", vectors)
    return dataset.with_catalogue(catalogue)


def _of_nobody(schema: Schema) -> Dataset:
    """A dataset of one row: an unknown ad was shown to an unknown user."""
    none, rows = np.zeros(0, np.int64), np.zeros(0, np.int32)
    one, row = np.zeros(1, np.int64), np.zeros(1, np.int32)

    def columns(entity: Entity, count: int) -> dict[str, np.ndarray]:
        return {
            name: np.zeros([count, *shape], dtype)
            for feature in schema.of(entity)
            for name, (shape, dtype) in columns_of(feature.spec()).items()
        }

    return Dataset(
        schema,
        Catalogue(
            *(none, (), (), ()),
            features=schema.of("ad"),
            columns=columns("ad", 0),
        ),
        none,
        columns("user", 1),
        EventLog(rows, rows, rows, none, columns("event", 0)),
        Impressions(
            *(one, row, row, one),
            {label: one.astype(np.float32) for label in schema.labels},
            columns("context", 1) | columns("candidate", 1),
            *(one, one),
        ),
    ).with_user_keys()


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


def _check_conversions(config: RunConfig, dataset: Dataset) -> None:
    """Refuses conversions without a click where they are composed of them."""
    labels = dataset.impressions.labels
    if not {"clicked", "converted"} <= set(config.ranker.get("tasks", ())):
        return
    alone = labels["converted"] > labels["clicked"]
    if alone.any():
        raise InputError(
            "with the tasks clicked and converted, conversions need a "
            f"click. Received: {int(alone.sum())} without one. Mend the "
            "labels, or train on one of the two."
        )


def _choose(
    section: str,
    settings: Mapping[str, Any],
    allow_import: Collection[str],
    **given,
):
    """An object of the class that a section names."""
    others = {
        key: _nested(f"{section}.{key}", value, allow_import)
        for key, value in settings.items()
        if key != "class"
    }
    chosen = class_of(section, settings["class"], allow_import)
    return _make(section, chosen.load(), others, **given)


def _nested(section: str, value: Any, allow_import: Collection[str]):
    """A setting, with an object where it holds a choice of its own."""
    if not isinstance(value, Mapping):
        return value
    if "class" in value:
        return _choose(section, value, allow_import)
    return {
        k: _nested(f"{section}.{k}", v, allow_import) for k, v in value.items()
    }


def _make(section: str, made: type, settings: Mapping[str, Any], **given):
    if issubclass(made, keras.layers.Layer):
        # Keras would number the names of a process's second ranker.
        given["name"] = section
    try:
        return made(**given, **settings)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{section}`: {error}") from error
