"""Raw requests, as a client sends them, made from a dataset."""

import itertools
from collections.abc import Mapping

import numpy as np

from tfadrec.core.feature import Entity
from tfadrec.core.schema import Schema
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.data.features import decode, missing_like, with_columns
from tfadrec.data.newest_events import NewestEvents
from tfadrec.serving.ad_expiry import NOW
from tfadrec.serving.ad_reader import NEW, AdReader
from tfadrec.serving.request_reader import Specs

Request = dict[str, np.ndarray]


def replay(dataset: Dataset, rows: np.ndarray) -> Request:
    """The requests that were behind some impressions.

    Args:
      dataset: any dataset.
      rows: int [n], which of its impressions.

    Returns:
      The inputs of `serving_default`: ids, strings and numbers in their own
      units, leading axis [n]. Users come with their features.
    """
    impressions = dataset.impressions
    users = impressions.users[rows]
    newest = NewestEvents(
        dataset.events, dataset.schema.skipped, dataset.history_length
    )
    places, lengths = newest(
        impressions.history_starts[rows], impressions.history_ends[rows]
    )
    events = places.numpy(), lengths.numpy()
    return {
        "user_id": _with_unknown(dataset.user_ids)[users],
        **_history(dataset, *events, impressions.times[rows]),
        **_features(dataset.schema, "user", dataset.users, users),
        **_features(dataset.schema, "context", impressions.columns, rows),
        **candidates(dataset, rows),
    }


def candidates(dataset: Dataset, rows: np.ndarray) -> Request:
    """The candidates of some impressions, with their features.

    Args:
      dataset: any dataset.
      rows: int [...], which of its impressions.

    Returns:
      `candidate_ads` and the inputs of candidates' features, leading axes
      [...].
    """
    impressions = dataset.impressions
    ads = _with_unknown(dataset.catalogue.ad_ids)[impressions.ads[rows]]
    return {
        "candidate_ads": ads,
        **_features(dataset.schema, "candidate", impressions.columns, rows),
    }


@takes(dataset="dataset")
def with_candidates(
    dataset: Dataset, request: Request, ads: np.ndarray
) -> Request:
    """A request for ads of whose features as candidates nothing is known.

    Args:
      dataset: any dataset.
      request: user and context, and anything else; its own candidates, where it
        has some, are replaced.
      ads: [B] or [B, C] ids.
    """
    ads = np.asarray(ads)
    columns = missing_like(dict(dataset.impressions.columns))
    nothing = np.zeros(ads.shape, np.int64)
    return {
        **without_candidates(dataset.schema, request),
        "candidate_ads": ads,
        **_features(dataset.schema, "candidate", columns, nothing),
    }


def without_candidates(schema: Schema, request: Request) -> Request:
    """The inputs of a request that tell of the user and the context alone."""
    own = candidate_inputs(schema)
    return {k: v for k, v in request.items() if k not in own}


def nothing_asked(specs: Specs, count: int) -> Request:
    """Inputs of a choice among ads by which nothing is asked.

    Args:
      specs: of the inputs, leading axis [B].
      count: B.

    Returns:
      Lists without an entry, and zeros.
    """
    return {
        name: np.zeros(
            [count] + [0] * (spec.shape.rank - 1), spec.dtype.as_numpy_dtype
        )
        for name, spec in specs.items()
    }


def plain_choice(dataset: Dataset, count: int, k: int, specs: Specs) -> Request:
    """Inputs of a choice of the `k` best ads, by which nothing else is asked.

    Args:
      dataset: gives the type of ids.
      count: B.
      k: how many.
      specs: of inputs beside these, see `nothing_asked`. Where ads expire the
        moment is the first that there is, so that answers do not depend on the
        clock.
    """
    choice = {
        "exclude_ads": np.zeros([count, 0], dataset.catalogue.ad_ids.dtype),
        "exclude_history": np.zeros(count, bool),
        "k": np.full(count, k, np.int32),
        **nothing_asked(specs, count),
    }
    if NOW in specs:
        choice[NOW] = np.ones(count, np.int64)
    return choice


def as_slates(schema: Schema, request: Request) -> Request:
    """A request of `serving_default` as one of slates of one ad each."""
    own = candidate_inputs(schema)
    return {k: v[:, None] if k in own else v for k, v in request.items()}


def candidate_inputs(schema: Schema) -> set[str]:
    """The names that inputs of candidates can have."""
    features = schema.of("candidate")
    return {"candidate_ads", *(t for f in features for t in f.tensors)}


def without_features(
    dataset: Dataset, request: Request, rows: np.ndarray
) -> Request:
    """The request, but that some of its users come without their features.

    Args:
      dataset: gives the schema.
      request: as from `replay`, leading axis [n].
      rows: bool [n], whose features are left empty.
    """
    nobody = np.zeros(len(rows), np.int64)
    empty = _features(dataset.schema, "user", dataset.users, nobody)
    left = {}
    for name, values in empty.items():
        mask = rows.reshape(-1, *[1] * (values.ndim - 1))
        left[name] = np.where(mask, values, request[name])
    return request | left


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


@takes(dataset="dataset")
def request_for_user(dataset: Dataset, user_id: str | int) -> Request:
    """A request of one user, one second after the log's last event.

    The context is that of the user's newest impression. A user who is not in
    the dataset has an empty history and an unknown context.

    Args:
      dataset: any dataset.
      user_id: an id; text is read as a number where ids are numbers.

    Returns:
      User, whole history, features and context of one request, leading axis
      [1].

    Raises:
      InputError: where ids are numbers and the text is none.
    """
    user_id = dataset.schema.user_id(user_id)
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
    now = impressions.times.max()
    if events.times is not None and len(events.times):
        now = max(now, events.times.max()) + 1
    schema = dataset.schema
    history = np.arange(start, end)[None], np.array([end - start])
    context: Mapping[str, np.ndarray] = impressions.columns
    if newest is None:
        context = missing_like(dict(context))
    seen = np.array([newest or 0])
    return {
        "user_id": np.array([user_id], dtype=dataset.user_ids.dtype),
        **_history(dataset, *history, np.array([now])),
        **_features(schema, "user", dataset.users, np.array([row])),
        **_features(schema, "context", context, seen),
    }


def _history(dataset, places, lengths, times) -> Request:
    """Events at `places` [n, T] as of `times` [n], filled up with empty."""
    events = dataset.events
    longest = lengths.max(initial=0)
    real = np.arange(longest) < lengths[:, None]
    places = np.where(real, places[:, :longest], 0)
    ages = np.zeros(real.shape, np.int64)
    if events.times is not None:
        ages = np.where(real, times[:, None] - events.times[places], 0)
    names = np.array(dataset.schema.event_types, dtype=object)
    types = np.where(real, events.types[places], 0)
    ads = np.where(real, events.ads[places], 0)
    return {
        "history_ads": _with_unknown(dataset.catalogue.ad_ids)[ads],
        "history_events": _with_unknown(names)[types],
        "history_ages": np.minimum(ages, np.iinfo(np.int32).max).astype(
            np.int32
        ),
        "history_length": lengths.astype(np.int32),
        **_features(dataset.schema, "event", events.columns, places, real),
    }


def _features(
    schema: Schema,
    entity: Entity,
    columns: Mapping[str, np.ndarray],
    rows: np.ndarray,
    real: np.ndarray | None = None,
) -> Request:
    """Raw values of an entity's features at `rows`, empty where not `real`."""
    features = with_columns(schema.of(entity))
    taken = {}
    for name in (t for f in features for t in f.tensors if t in columns):
        taken[name] = columns[name][rows]
        if real is not None:
            taken[name][~real] = missing_like({name: columns[name]})[name][0]
    return decode(taken, features)


def _with_unknown(values: np.ndarray) -> np.ndarray:
    """Row -> raw value, where row 0 is one that no vocabulary has."""
    unknown = np.zeros(1, values.dtype) - 1
    if values.dtype == object:
        unknown = np.array([""], dtype=object)
    return np.concatenate([unknown, values])
