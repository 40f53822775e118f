"""What a ranker has to know of a dataset: its features, users and ads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfadrec import losses
from tfadrec.layers.features.rate_path import KINDS as RATES
from tfadrec.layers.features.traits import num_traits

#: The kinds that are read at a candidate, whoever they belong to.
_AT_CANDIDATE = ("lookup",)
#: `text_rank` of an ad tower whose ad copy is matched.
DEFAULT_RANK = 64
#: `rank` of a `FoldIn`, and `text_rank` where vectors of ad copy are matched.
DEFAULT_FACTORS, DIRECTIONS = 16, 16
#: Opinions are folded in where there are rows enough to find factors by, and
#: no more ads than a table in every checkpoint is good for.
_LEAST_ROWS, _MOST_ADS = 10_000, 200_000
#: Traits of an ad that are of its features, at most; and codes of a feature
#: that has some, whose few most frequent ones would tell little of many.
_MOST_TRAITS, _MOST_CODES = 32, 10_000
#: No more users than a table of slopes is good for.
_MOST_USERS = 200_000


def has_text_vectors(catalogue: Any) -> bool:
    """Whether a catalogue has the vectors of its ad copy."""
    return any(feature.tensor == "text" for feature in catalogue.features)


def dataset_sizes(
    dataset: Any, tasks: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """The arguments of a ranker's parts that a dataset tells.

    Args:
      dataset: a `tfadrec.data.Dataset`.
      tasks: labels that it has to have.

    Returns:
      `ad_tower`, `user_tower`, `text_matching`, `fold_in` and `ranker` ->
      arguments by name.

    Raises:
      ValueError: where it is no dataset, or lacks a label.
    """
    if not hasattr(dataset, "schema"):
        raise ValueError(
            "`dataset` must be a dataset. Received: "
            f"{type(dataset).__name__}. Call `data.open_dataset(folder)` first."
        )
    missing = sorted(set(tasks) - set(dataset.schema.labels))
    if isinstance(tasks, str) or missing:
        raise ValueError(
            "`tasks` must be a list of labels of the dataset, which has "
            f"{', '.join(dataset.schema.labels)}. Received: {tasks!r}."
        )
    of: dict[str, list[dict[str, Any]]] = {}
    for feature in dataset.schema.features:
        at = feature.entity
        if feature.kind in _AT_CANDIDATE:
            at = "candidate"
        of.setdefault(at, []).append(feature.spec())
    candidate = of.get("candidate", [])
    read = {name for spec in candidate for name in spec.get("of", ())}
    columns = dataset.catalogue.columns
    num_event_types = len(dataset.schema.event_types) + 1
    of_types = {
        "num_event_types": num_event_types,
        "skipped": dataset.schema.skipped,
    }
    passed = [
        name
        for feature in dataset.catalogue.features
        if feature.tensor in read
        for name in feature.tensors
        if name in columns
    ]
    return {
        "ad_tower": {"catalogue": dataset.catalogue, "passed": passed},
        "user_tower": {
            "num_event_types": num_event_types,
            "num_users": len(dataset.user_ids) + 1,
            "event_features": of.get("event", []),
        },
        "text_matching": of_types,
        "fold_in": of_types,
        "ranker": {
            # A head that crosses them with all else learns more from users'
            # features than user vectors do (benchmarks/RESULTS.md).
            "context": [*of.get("context", []), *of.get("user", [])],
            "candidate": candidate,
        },
    }


def slope_sizes(
    dataset: Any,
    sizes: Mapping[str, Mapping[str, Any]],
    *,
    use_ad_id: bool,
    folds_in: bool,
    matches_texts: bool,
    reads_vectors: bool,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """How many slopes ads, users and their features have, and by which traits.

    Ads lean on what tells them apart from request to request, what texts say
    and rates and counts; users on that, on ads' numbers and the values of their
    categories, on the main directions of their texts, and where opinions are
    not folded in on factors of ads. Numbers, categories and lists of them, of
    users and requests, lean on what ads and their texts are. Where there are
    more than 200,000 ads or users, these have none, and a category of more than
    10,000 values neither has slopes nor traits.

    Args:
      dataset: a `tfadrec.data.Dataset`.
      sizes: of it, as from `dataset_sizes`.
      use_ad_id: whether ads have something of their own.
      folds_in: whether opinions are folded in.
      matches_texts: whether there is a text matching.
      reads_vectors: whether that is of vectors that do not change.

    Returns:
      Arguments of the ad tower, of the user tower, and of the ranker.
    """
    rates = [f for f in sizes["ranker"]["candidate"] if f["kind"] in RATES]
    signals = len(rates) + matches_texts
    of_ads: dict[str, Any] = {}
    of_users: dict[str, Any] = {}
    if use_ad_id and len(dataset.catalogue) <= _MOST_ADS:
        of_ads["num_slopes"] = signals
    users = sizes["user_tower"]
    has_rows = 0 < users["num_users"] <= _MOST_USERS
    has_rows = has_rows and users.get("ids") is None
    told = _with_traits(f.spec() for f in dataset.catalogue.features)
    slopes_of = []
    if told or reads_vectors:
        given = [
            spec
            for spec in sizes["ranker"]["context"]
            if spec["kind"] in ("category", "categories", "number")
        ]
        slopes_of = sorted(_with_traits(given))
    if not (has_rows or slopes_of):
        return of_ads, of_users, {}
    of_ads["num_traits"] = min(sum(told.values()), _MOST_TRAITS)
    of_ads["traits_of"] = sorted(told)
    of_ads["text_traits"] = DIRECTIONS if reads_vectors else 0
    of_ads["factor_traits"] = 0
    if has_rows:
        reads_history = folds_in and len(dataset.events.ads) > 0
        if use_ad_id and not reads_history and _has_factors(dataset):
            of_ads["factor_traits"] = DEFAULT_FACTORS
        traits = sum(
            of_ads[name]
            for name in ("num_traits", "text_traits", "factor_traits")
        )
        of_users["num_slopes"] = signals + traits
    return of_ads, of_users, {"slopes_of": slopes_of}


def _with_traits(specs: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Features that slopes lean on, or that have some: name -> how many."""
    values = {spec["name"]: num_traits(spec) for spec in specs}
    return {name: n for name, n in values.items() if 0 < n <= _MOST_CODES}


def biased_task(tasks: Sequence[str]) -> str:
    """The task whose logit is raised by what is known of an ad and a user."""
    return "clicked" if "clicked" in tasks else tasks[0]


def folds_in(
    dataset: Any,
    ad_tower: Mapping[str, Any],
    ranker: Mapping[str, Any],
) -> bool:
    """Whether opinions are folded in where the settings do not forbid it.

    The dataset has to have histories, 10,000 rows or more and no more than
    200,000 ads; ads have something of their own (`use_id`), and the loss has
    one output, since opinions are mixed into a logit.

    Args:
      dataset: a `tfadrec.data.Dataset`.
      ad_tower: settings of the ad tower.
      ranker: settings of the ranker.
    """
    if not (_suits_fold_in(dataset) and ad_tower.get("use_id", True)):
        return False
    task = biased_task(ranker.get("tasks", ("clicked",)))
    loss = (ranker.get("losses") or {}).get(task, "binary")
    return losses.get(loss).num_outputs == 1


def _suits_fold_in(dataset: Any) -> bool:
    return (
        dataset.history_length > 0
        and len(dataset.events.ads) > 0
        and _has_factors(dataset)
    )


def _has_factors(dataset: Any) -> bool:
    """Whether rows tell factors of ads."""
    return len(dataset) >= _LEAST_ROWS and len(dataset.catalogue) <= _MOST_ADS
