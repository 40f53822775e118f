"""More ads and users for a ranker that has learned already."""

import numpy as np

from tfadrec import models
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset

_TABLE = "id/embedding_and_bias"
# The ends of the names of a catalogue's columns in an ad tower.
_COLUMNS = ("_table:0", "/token_ids:0", "/token_starts:0")


def grow_vocabulary(
    ranker: models.AdRanker, known: Dataset, grown: Dataset
) -> models.AdRanker:
    """A ranker with rows for more ads and users, to go on training.

    Every weight of the ranker and every slot of its optimiser is kept bit by
    bit; the rows of ads and users go where the grown dataset has their ids. A
    new row starts as that of the unknown ad or user, and its slots as an
    optimiser starts them. The columns of ads are those of the grown dataset;
    the features of users come with the batches, and so with a dataset.

    Args:
      ranker: compiled and built; it is left as it is.
      known: what it was trained with.
      grown: has the same schema, and at least the ads and users of `known`. A
        vector column that was made, such as `text`, has to be in both.

    Returns:
      A compiled ranker for `grown`.

    Raises:
      InputError: where the schema is another, or an ad or user is gone.

    Example:
      ranker = training.grow_vocabulary(run.ranker, run.dataset, grown)
      training.fit(ranker, *data.split_by_time(grown)[:2], "runs/b")
    """
    other = [
        name
        for name, one, two in (
            ("event_types", known.schema.event_types, grown.schema.event_types),
            ("features", known.schema.features, grown.schema.features),
            (
                "columns of ads",
                known.catalogue.features,
                grown.catalogue.features,
            ),
        )
        if one != two
    ]
    if other:
        raise InputError(
            "a vocabulary grows by ads and users; the schema has to stay. "
            f"Received: other {', '.join(other)}. Prepare the new rows with "
            "`--like` and the first dataset's folder, which keeps its "
            "vocabularies, means and deviations."
        )
    ads = _places("ads", known.catalogue.ad_ids, grown.catalogue.ad_ids)
    users = _places("users", known.user_ids, grown.user_ids)
    config = ranker.get_config()
    tower = ranker.ad_tower
    made = {
        "ad_tower": {
            **tower.get_config(),
            "catalogue": grown.catalogue,
        },
        "user_tower": ranker.user_tower.get_config(),
    }
    if made["user_tower"]["num_users"]:
        made["user_tower"]["num_users"] = len(grown.user_ids) + 1
    for name, arguments in made.items():
        config[name] = {**config[name], "config": arguments}
    fresh = type(ranker).from_config(config)
    fresh.build()
    fresh.compile_from_config(ranker.get_compile_config())
    rows_of = {
        variable.ref(): rows
        for part, rows in ((tower, ads), (ranker.user_tower, users))
        for variable in part.trainable_variables
        if _TABLE in variable.name
    }
    columns = {
        v.ref()
        for v in tower.non_trainable_variables
        if v.name.endswith(_COLUMNS)
    }
    moved = {}
    for old, new in zip(ranker.variables, fresh.variables, strict=True):
        if old.ref() in columns:
            continue
        rows = rows_of.get(old.ref())
        if rows is not None:
            moved[new.name.partition(":")[0]] = rows
            new.assign(tf.repeat(old[:1], new.shape[0], axis=0))
        _keep(old, new, rows)
    for old, new in zip(
        ranker.optimizer.variables, fresh.optimizer.variables, strict=True
    ):
        # A slot has the name of its weight in its own.
        of = [rows for name, rows in moved.items() if name in new.name]
        _keep(old, new, of[0] if of else None)
    return fresh


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
