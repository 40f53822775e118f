"""More ads and users for a ranker that has learned already."""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from tfadrec import models
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset

Model = TypeVar("Model", models.AdRanker, models.AdRetriever)
# The ends of the names of what a tower has for each ad or user.
_TABLES = (
    *("/id/embedding_and_bias:0", "/id/slopes:0"),
    *("/factors:0", "/trait_factors:0"),
)
# The ends of the names of a catalogue's columns in an ad tower.
_COLUMNS = ("_table:0", "/token_ids:0", "/token_starts:0")


@takes(ranker="ranker", known="dataset", grown="dataset")
def grow_vocabulary(
    ranker: models.AdRanker, known: Dataset, grown: Dataset
) -> models.AdRanker:
    """A ranker with rows for more ads and users, to go on training.

    Every weight of the ranker and every slot of its optimiser is kept bit by
    bit; the rows of ads and users go where the grown dataset has their ids, and
    those of a category's values stay where they are. A new row starts as that
    of what is unknown, and its slots as an optimiser starts them. The columns
    of ads are those of the grown dataset; the features of users come with the
    batches, and so with a dataset. A table of users whose size is a setting
    (`ids` of `UserTower`) stays as it is.

    Args:
      ranker: compiled and built; it is left as it is.
      known: what it was trained with.
      grown: has at least the ads and users of `known`, and its schema, in which
        vocabularies and event types may go on after their last value. A vector
        column that was made, such as `text`, has to be there where the ranker
        reads one (`with_text`).

    Returns:
      A compiled ranker for `grown`.

    Raises:
      InputError: where the schema is another, or an ad or user is gone.

    Example:
      ranker = training.grow_vocabulary(run.ranker, run.dataset, grown)
      training.fit(ranker, *data.split_by_time(grown)[:2], "runs/b")
    """
    return grown_model(ranker, known, grown)


def grown_model(model: Model, known: Dataset, grown: Dataset) -> Model:
    """A ranker or a retriever with rows for more ads and users.

    Args:
      model: see `ranker` of `grow_vocabulary`.
      known: likewise.
      grown: likewise.

    Raises:
      InputError: likewise.
    """
    _require_grown(model, known, grown)
    ads = _places("ads", known.catalogue.ad_ids, grown.catalogue.ad_ids)
    users = _places("users", known.user_ids, grown.user_ids)
    tower = model.ad_tower
    config = _grown_config(model.get_config(), known, grown)
    fresh = type(model).from_config(config)
    fresh.build()
    fresh.compile_from_config(model.get_compile_config())
    by_row = [(tower, ads)]
    if model.user_tower.reads_rows:
        by_row.append((model.user_tower, users))
    rows_of = {
        variable.ref(): rows
        for part, rows in by_row
        for variable in part.variables
        if variable.name.endswith(_TABLES)
    }
    if isinstance(model, models.AdRetriever):
        rows_of[model.click_shares.ref()] = ads
    columns = {
        v.ref()
        for v in tower.non_trainable_variables
        if v.name.endswith(_COLUMNS)
    }
    moved = {}
    for old, new in zip(model.variables, fresh.variables, strict=True):
        if old.ref() in columns:
            continue
        rows = rows_of.get(old.ref())
        if rows is None and old.shape != new.shape:
            rows = np.arange(old.shape[0])  # codes stay what they are
        if rows is not None:
            moved[new.name.partition(":")[0]] = rows
            new.assign(tf.repeat(old[:1], new.shape[0], axis=0))
        _keep(old, new, rows)
    for old, new in zip(
        model.optimizer.variables, fresh.optimizer.variables, strict=True
    ):
        # A slot has the name of its weight in its own.
        of = [rows for name, rows in moved.items() if name in new.name]
        _keep(old, new, of[0] if of else None)
    return fresh


def _require_grown(model: Model, known: Dataset, grown: Dataset) -> None:
    """Refuses a schema of which a model's is not the beginning."""
    one, two = known.schema, grown.schema
    of_schema = {feature.tensor for feature in one.features}
    # Vectors of the copy, say: the model knows what it was made with.
    read, made = (
        [spec for spec in specs if spec["name"] not in of_schema]
        for specs in (
            model.ad_tower.features_read,
            [feature.spec() for feature in grown.catalogue.features],
        )
    )
    other = [
        name
        for name, is_kept in (
            ("event_types", _goes_on(one.event_types, two.event_types)),
            ("features", _go_on(one.features, two.features)),
            ("columns of ads", read == made),
        )
        if not is_kept
    ]
    if other:
        raise InputError(
            "a vocabulary grows by values, ads and users; the rest of the "
            f"schema has to stay. Received: other {', '.join(other)}. Join the "
            "new rows to the first dataset with `tfadrec update`, or prepare "
            "them with `--like` and its folder."
        )


def _goes_on(known: Sequence[str], grown: Sequence[str]) -> bool:
    return tuple(grown[: len(known)]) == tuple(known)


def _go_on(known: Sequence[Feature], grown: Sequence[Feature]) -> bool:
    return len(known) == len(grown) and all(
        _goes_on(one.vocabulary, two.vocabulary)
        and dataclasses.replace(two, vocabulary=one.vocabulary) == one
        for one, two in zip(known, grown, strict=True)
    )


def _grown_config(
    config: dict[str, Any], known: Dataset, grown: Dataset
) -> dict[str, Any]:
    """The model's settings, with the grown dataset's sizes."""
    specs = {f.tensor: f.spec() for f in grown.schema.features}
    types = len(known.schema.event_types) + 1
    sizes = {
        "catalogue": lambda _: grown.catalogue,
        "num_users": lambda given: given and len(grown.user_ids) + 1,
        # A tower may have been made for fewer than there are.
        "num_event_types": lambda given: (
            len(grown.schema.event_types) + 1 if given == types else given
        ),
        **dict.fromkeys(
            ("features", "event_features", "context", "candidate"),
            lambda given: [specs.get(spec["name"], spec) for spec in given],
        ),
    }

    def resized(settings: dict[str, Any]) -> dict[str, Any]:
        return {
            name: sizes[name](value) if name in sizes else value
            for name, value in settings.items()
        }

    parts = {
        name: {**config[name], "config": resized(config[name]["config"])}
        for name in ("ad_tower", "user_tower", "text_matching", "fold_in")
        if config.get(name) is not None
    }
    return {**resized(config), **parts}


def _keep(old: tf.Variable, new: tf.Variable, rows: np.ndarray | None) -> None:
    """Assigns a variable, or its rows to where they go."""
    if rows is None:
        new.assign(old)
    else:
        new.scatter_update(tf.IndexedSlices(old.read_value(), rows))


def _places(what: str, known: np.ndarray, grown: np.ndarray) -> np.ndarray:
    """The row of each known row in the grown vocabulary, row 0 included."""
    order = np.argsort(grown, kind="stable")
    places = order[np.searchsorted(grown[order], known).clip(0, len(grown) - 1)]
    gone = grown[places] != known
    if gone.any():
        raise InputError(
            f"a vocabulary grows; nothing may be gone from it. Received: "
            f"{int(gone.sum())} {what} fewer, such as {known[gone][0]!r}. Keep "
            "them in the dataset."
        )
    return np.concatenate([[0], places + 1])
