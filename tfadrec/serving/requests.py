"""Raw requests, as a client sends them, made from a dataset."""

import itertools

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset
from tfadrec.serving.ad_reader import NEW, AdReader

Request = dict[str, np.ndarray]


def replay(dataset: Dataset, rows: np.ndarray) -> Request:
    """The requests that were behind some impressions.

    Args:
      dataset: any dataset.
      rows: int [n], which of its impressions.

    Returns:
      The inputs of `serving_default`: ids, strings and numbers in their own
      units, leading axis [n].
    """
    impressions = dataset.impressions
    histories = [
        range(
            max(start, end - dataset.history_length),
            end,
        )
        for start, end in zip(
            impressions.history_starts[rows],
            impressions.history_ends[rows],
            strict=True,
        )
    ]
    return {
        "user_id": _with_unknown(dataset.user_ids)[impressions.users[rows]],
        "candidate_ads": _with_unknown(dataset.catalogue.ad_ids)[
            impressions.ads[rows]
        ],
        **_history(dataset, histories, impressions.times[rows]),
        **_context(dataset, rows),
    }


def new_ads(dataset: Dataset, reader: AdReader, rows: np.ndarray) -> Request:
    """Ads of the catalogue as new ones, under ids that it does not have.

    Args:
      dataset: any dataset.
      reader: of new ads, a service's.
      rows: int [B, M], catalogue rows.

    Returns:
      `new_ads` [B, M], and the ads' columns with the prefix `new_`.
    """
    known = set(dataset.catalogue.ad_ids.tolist())
    is_text = dataset.schema.ad_id_type == "string"
    ids = (f"new-{n}" if is_text else n for n in itertools.count())
    free = itertools.filterfalse(known.__contains__, ids)
    made = np.array(list(itertools.islice(free, rows.size)), object)
    columns = reader.raw(
        dataset.catalogue, rows.reshape(-1), as_tokens=not reader.reads_text
    )
    given = {"new_ads": made.astype(dataset.catalogue.ad_ids.dtype)}
    given |= {f"{NEW}{name}": values for name, values in columns.items()}
    return {
        name: values.reshape(*rows.shape, *values.shape[1:])
        for name, values in given.items()
    }


def request_for_user(dataset: Dataset, user_id: str | int) -> Request:
    """A request of one user, one second after the log's last event.

    The context is that of the user's newest impression. A user who is not in
    the dataset has an empty history and an unknown context.

    Args:
      dataset: any dataset.
      user_id: an id; text is read as a number where ids are numbers.

    Returns:
      User, whole history and context of one request, leading axis [1].

    Raises:
      InputError: where ids are numbers and the text is none.
    """
    if dataset.schema.user_id_type == "int64":
        try:
            user_id = int(np.int64(user_id))
        except (ValueError, OverflowError) as error:
            raise InputError(
                "user ids of this dataset are 64-bit integers. Received: "
                f"{user_id!r}."
            ) from error
    else:
        user_id = str(user_id)
    impressions, events = dataset.impressions, dataset.events
    place = int(np.searchsorted(dataset.user_ids, user_id))
    known = place < len(dataset.user_ids) and dataset.user_ids[place] == user_id
    row = place + 1 if known else 0
    own = np.flatnonzero(impressions.users == row) if known else ()
    newest = own[np.argmax(impressions.times[own])] if len(own) else None
    if events.users is not None and known:
        start, end = np.searchsorted(events.users, [row, row + 1])
    elif events.users is None and newest is not None:
        start = impressions.history_starts[newest]
        end = impressions.history_ends[newest]
    else:
        start = end = 0
    history = range(start, end)
    now = impressions.times.max()
    if events.times is not None and len(events.times):
        now = max(now, events.times.max()) + 1
    return {
        "user_id": np.array([user_id], dtype=dataset.user_ids.dtype),
        **_history(dataset, [history], np.array([now])),
        **_context(dataset, None if newest is None else np.array([newest])),
    }


def to_examples(request: Request) -> np.ndarray:
    """Rows of `serving_default` as what `serve_examples` reads.

    Args:
      request: see `replay`; leading axis [n].

    Returns:
      A serialised `tf.train.Example` for each row, bytes [n].
    """
    lengths = request["history_length"]
    examples = []
    for row, length in enumerate(lengths):
        features = {}
        for name, values in request.items():
            if name == "history_length":
                continue
            value = values[row]
            features[name] = _feature(
                value[:length] if np.ndim(value) else np.array([value])
            )
        example = tf.train.Example(features=tf.train.Features(feature=features))
        examples.append(example.SerializeToString())
    return np.array(examples, dtype=object)


def _feature(values: np.ndarray) -> tf.train.Feature:
    if values.dtype == object or values.dtype.kind == "U":
        encoded = [str(value).encode() for value in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
    if values.dtype.kind == "f":
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _history(dataset, histories, times) -> Request:
    events = dataset.events
    shape = (len(histories), max(map(len, histories), default=0))
    rows = np.zeros(shape, np.int64)
    types = np.zeros(shape, np.int64)
    ages = np.zeros(shape, np.int32)
    for place, (history, now) in enumerate(zip(histories, times, strict=True)):
        part, there = slice(history.start, history.stop), slice(len(history))
        rows[place, there] = events.ads[part]
        types[place, there] = events.types[part]
        if events.times is not None:
            age = np.minimum(now - events.times[part], np.iinfo(np.int32).max)
            ages[place, there] = age
    names = np.array(dataset.schema.event_types, dtype=object)
    return {
        "history_ads": _with_unknown(dataset.catalogue.ad_ids)[rows],
        "history_events": _with_unknown(names)[types],
        "history_ages": ages,
        "history_length": np.array([len(h) for h in histories], np.int32),
    }


def _context(dataset, rows) -> Request:
    request = {}
    for feature in dataset.schema.context:
        column = dataset.impressions.context[feature.name]
        if feature.kind == "categorical":
            names = _with_unknown(np.array(feature.vocabulary, dtype=object))
            codes = np.zeros(1, np.int64) if rows is None else column[rows]
            request[feature.name] = names[codes]
        else:
            scaled = np.full(1, np.nan) if rows is None else column[rows]
            # In float64, as a large mean would drown the digits that matter.
            request[feature.name] = (
                scaled.astype(np.float64) * feature.std + feature.mean
            )
    return request


def _with_unknown(values: np.ndarray) -> np.ndarray:
    """Row -> raw value, where row 0 is one that no vocabulary has."""
    unknown = np.zeros(1, values.dtype) - 1
    if values.dtype == object:
        unknown = np.array([""], dtype=object)
    return np.concatenate([unknown, values])
