"""What the first ads of each request bring, by the model that chooses."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines import SmoothedRate
from tfadrec.evaluation.baselines.text_cosine import largest_cosines
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.table import align
from tfadrec.metrics import exposure, policy, ranking, top

#: The label that says how attractive an ad is.
_CLICKED = "clicked"


@takes(dataset="dataset", train="dataset")
def choices(
    models: Mapping[str, Evaluation],
    dataset: Dataset,
    train: Dataset,
    *,
    k: int = 1,
    revenue: str | None = None,
    cost: str | None = None,
    relevance_weight: float = 0.5,
) -> dict[str, dict[str, float]]:
    """Lets every model choose the first k ads of each request of the log.

    By the task `clicked`. The log tells what the chosen ads brought; what it
    showed at the top was seen better, which favours models that are like the
    one that was live. `log` in the answer is a policy that chooses at random.

    The quality of an ad for a user (AQM) is R^a A^(1 - a) with the relevance
    R = (1 + c) / 2, c the largest cosine of the ad's text with those of the
    history (0 where one is missing), and the attractiveness A = p / (p + p0), p
    the ad's smoothed click rate in training and p0 the rate of all. It is the
    same whichever model chooses.

    Args:
      models: name -> what `evaluate` or `measure` made of the dataset.
      dataset: the rows.
      train: the rows that tell what an ad's click rate was, over the same
        catalogue; with text vectors in the column `text` there is an AQM.
      k: ads that are chosen, >= 1.
      revenue: the label that holds what an impression brought.
      cost: the label that holds what it cost.
      relevance_weight: a.

    Returns:
      Model -> metric -> value: `ctr@k`, with conversions `cvr@k` (of clicks),
      `revenue@k` and `cost@k` of a choice, `roi@k`, `coverage@k` (the share of
      the catalogue that is chosen), `gini@k` and `diversity@k` (of its
      exposures), `aqm@k`, and `calibration@k`, predicted over observed clicks
      of the chosen ads: above 1 where the ads that are chosen are those that
      the model overrates.
      Nothing where no request has more than k rows, or clicks are no task.

    Raises:
      InputError: for a label that is not there.
    """
    amounts = {
        name: dataset.impressions.labels[dataset.schema.label(label)]
        for name, label in (("revenue", revenue), ("cost", cost))
        if label is not None
    }
    rows = dataset.impressions
    sizes = np.unique(rows.requests, return_counts=True)[1]
    models = {n: e for n, e in models.items() if _CLICKED in e.scores}
    if _CLICKED not in rows.labels or not models or sizes.max(initial=0) <= k:
        return {}
    quality = _quality(dataset, train, relevance_weight)
    scores = {"log": np.zeros(len(dataset))}
    scores |= {name: model.scores[_CLICKED] for name, model in models.items()}
    weights = 1.0 if rows.weights is None else rows.weights
    found = {}
    for name, values in scores.items():
        chosen = top.chosen(values, rows.requests, k) * weights
        found[name] = _of_policy(chosen, dataset, amounts, quality, k)
        found[name][f"calibration@{k}"] = (
            _calibration(chosen, values, rows.labels[_CLICKED])
            if name in models
            else float("nan")
        )
    return found


def choices_text(found: Mapping[str, Mapping[str, float]]) -> str:
    """An aligned table of what `choices` has found."""
    return align(choices_rows(found))


def choices_rows(found: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """The cells of `choices_text`, header first."""
    names = list(next(iter(found.values())))
    return [["choices by", *names]] + [
        [model, *(f"{values[name]:.4f}" for name in names)]
        for model, values in found.items()
    ]


def _of_policy(
    chosen: NDArray,
    dataset: Dataset,
    amounts: Mapping[str, NDArray],
    quality: NDArray | None,
    k: int,
) -> dict[str, float]:
    labels = dataset.impressions.labels
    found = {"ctr": policy.per_choice(chosen, labels[_CLICKED])}
    if "converted" in labels:
        found["cvr"] = policy.per_click(
            chosen, labels[_CLICKED], labels["converted"]
        )
    found |= {
        name: policy.per_choice(chosen, values)
        for name, values in amounts.items()
    }
    if len(amounts) == 2:
        found["roi"] = policy.roi(chosen, **amounts)
    exposures = np.bincount(
        dataset.impressions.ads, chosen, len(dataset.catalogue) + 1
    )[1:]
    found["coverage"] = exposure.coverage(exposures)
    found["gini"] = exposure.gini(exposures)
    found["diversity"] = exposure.diversity(exposures)
    if quality is not None:
        found["aqm"] = policy.per_choice(chosen, quality)
    return {f"{name}@{k}": value for name, value in found.items()}


def _calibration(chosen: NDArray, logits: NDArray, clicked: NDArray) -> float:
    """Predicted over observed clicks of what was chosen."""
    observed = float((chosen * clicked).sum())
    if not observed:
        return float("nan")
    probs = ranking.sigmoid(np.asarray(logits, np.float64))
    return float((chosen * probs).sum()) / observed


def _quality(dataset: Dataset, train: Dataset, weight: float) -> NDArray | None:
    if "text" not in dataset.catalogue.columns:
        return None
    clicks = train.impressions.labels[_CLICKED]
    mean = float(np.average(clicks, weights=train.impressions.weights))
    rate = ranking.sigmoid(SmoothedRate(_CLICKED).fit(train).scores(dataset))
    cosines = np.nan_to_num(largest_cosines(dataset))
    relevance = np.clip((1 + cosines) / 2, 0, 1)
    return policy.quality(relevance, rate / (rate + mean), weight)
