"""A made-up world whose true click probabilities are known."""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.intake.feature_columns import describe_features
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.write import check_out, write_dataset

_FEATURES = (
    FeatureSpec("category", "ad", "category", columns=("category",)),
    FeatureSpec("price", "ad", "number", columns=("price",)),
    FeatureSpec("position", "candidate", "category", columns=("position",)),
)
_START = 1_700_000_000
_DAYS = 30
_TOPICS = 6
_TOPIC_WORDS = 30
_COMMON_WORDS = 20
_CLICK_BIAS = -1.9
_TASTE_WEIGHT = 2.2
_CONVERSION_BIAS = -1.2


def prepare_synthetic(
    out: str | pathlib.Path,
    seed: int,
    *,
    num_users: int = 2000,
    num_ads: int = 400,
    requests_per_user: int = 50,
    slate_size: int = 5,
) -> Summary:
    """Writes a world with latent tastes as a dataset.

    An ad a is about topics m_a (a mixture over 6), has a quality q_a ~ N(0,
    0.4) and a price p_a, and its words are drawn from its topics' vocabularies.
    A user u has tastes t_u, +1 on two topics and -0.35 on the others. Shown at
    place k (0 = top) of a slate,

        P(click) = sigmoid(-1.9 + 2.2 t_u.m_a + q_a) / (1 + 0.15 k)
        P(conversion | click) = sigmoid(-1.2 + t_u.m_a - log(p_a / 20))

    Clicks and conversions are events (`click`, `purchase`), seconds after the
    request. The two probabilities stand in the columns
    `true_click_probability` and `true_conversion_probability` of the
    impressions, which no schema lists and no model reads.

    Args:
      out: the folder to write.
      seed: >= 0; the same seed gives the same world.
      num_users: >= 1.
      num_ads: >= slate_size.
      requests_per_user: >= 1.
      slate_size: C >= 1, ads shown in each request.

    Raises:
      InputError: where a size or the seed is out of range, or `out` is in use
        for something else.
    """
    sizes = (num_users, requests_per_user, slate_size, num_ads - slate_size + 1)
    if min(sizes) < 1 or seed < 0:
        raise InputError(
            "a world needs a seed >= 0, sizes >= 1 and as many ads as a slate. "
            f"Received: seed={seed}, {num_users} users, {num_ads} ads, "
            f"{requests_per_user} requests, slates of {slate_size}. Correct "
            "these."
        )
    out = check_out(out)
    rng = np.random.default_rng(seed)
    names, vocabulary = _words(rng)
    mixtures, quality = _topics(rng, num_ads), rng.normal(0, 0.4, num_ads)
    prices = np.round(20 * np.exp(rng.normal(0, 0.5, num_ads)), 2)
    ads = _ads(rng, mixtures, prices, names, vocabulary)

    num_requests = num_users * requests_per_user
    tastes = _tastes(rng, num_users)
    users = np.repeat(np.arange(num_users), requests_per_user)
    times = _START + rng.integers(0, _DAYS * 86400, num_requests)
    slates = _slates(rng, num_requests, num_ads, slate_size)

    # One row per impression from here on, [n].
    user, ad = np.repeat(users, slate_size), slates.ravel()
    time = np.repeat(times, slate_size)
    position = np.tile(np.arange(slate_size), num_requests)
    match = np.einsum("nk,nk->n", tastes[user], mixtures[ad])
    click_probability = _sigmoid(
        _CLICK_BIAS + _TASTE_WEIGHT * match + quality[ad]
    ) / (1 + 0.15 * position)
    conversion_probability = _sigmoid(
        _CONVERSION_BIAS + match - np.log(prices[ad] / 20)
    )
    clicked = rng.random(len(ad)) < click_probability
    converted = clicked & (rng.random(len(ad)) < conversion_probability)
    click_time = time + rng.integers(2, 60, len(ad))
    purchase_time = click_time + rng.integers(60, 900, len(ad))

    user_ids, ad_ids = _numbered("u", user), ads["ad_id"].take(pa.array(ad))
    impressions = pa.table(
        {
            "request_id": _numbered(
                "r", np.repeat(np.arange(num_requests), slate_size)
            ),
            "user_id": user_ids,
            "ad_id": ad_ids,
            "timestamp": time,
            "clicked": clicked.astype(np.int8),
            "converted": converted.astype(np.int8),
            "candidate.position": pa.array(position).cast(pa.string()),
            "true_click_probability": click_probability,
            "true_conversion_probability": conversion_probability,
        }
    )

    def log(mask, event_type, moments):
        return pa.table(
            {
                "user_id": user_ids.filter(pa.array(mask)),
                "ad_id": ad_ids.filter(pa.array(mask)),
                "event_type": pa.array([event_type] * int(mask.sum())),
                "timestamp": moments[mask],
            }
        )

    events = pa.concat_tables(
        [
            log(clicked, "click", click_time),
            log(converted, "purchase", purchase_time),
        ]
    )
    ledger = Ledger()
    for unit, table in (
        ("ads", ads),
        ("events", events),
        ("impressions", impressions),
    ):
        ledger.book("synthetic", unit, read=len(table), kept=len(table))
    schema = Schema(
        source="synthetic",
        user_id_type="string",
        ad_id_type="string",
        event_types=("click", "purchase"),
        labels=("clicked", "converted"),
        features=describe_features(_FEATURES, [ads, impressions]),
    )
    return write_dataset(
        out,
        schema=schema,
        ads=ads,
        events=events,
        impressions=impressions,
        ledger=ledger,
    )


def _words(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Topic names [K], and the words of all topics and the common ones.

    Returns:
      names [K], words [K + 1, W]; the last row holds common words, repeated.
    """
    starts = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v"]
    syllables = [c + v for c in starts for v in "aeiou"]
    count = _TOPICS * (_TOPIC_WORDS + 1) + _COMMON_WORDS
    chosen = rng.choice(len(syllables) ** 3, count, replace=False)
    words = np.array(
        [
            "".join(syllables[code // 65**place % 65] for place in range(3))
            for code in chosen
        ]
    )
    names, words = words[:_TOPICS], words[_TOPICS:]
    common = np.resize(words[-_COMMON_WORDS:], (1, _TOPIC_WORDS))
    topical = words[:-_COMMON_WORDS].reshape(_TOPICS, _TOPIC_WORDS)
    return names, np.concatenate([topical, common])


def _topics(rng: np.random.Generator, num_ads: int) -> np.ndarray:
    """Mixtures [num_ads, K]: one main topic, and a little of a second."""
    main = rng.integers(0, _TOPICS, num_ads)
    other = (main + rng.integers(1, _TOPICS, num_ads)) % _TOPICS
    share = rng.uniform(0.6, 1.0, num_ads)
    mixtures = np.zeros((num_ads, _TOPICS))
    mixtures[np.arange(num_ads), main] = share
    mixtures[np.arange(num_ads), other] = 1 - share
    return mixtures


def _tastes(rng: np.random.Generator, num_users: int) -> np.ndarray:
    """[num_users, K]: two topics liked, the others not."""
    liked = rng.random((num_users, _TOPICS)).argsort(axis=1)[:, :2]
    tastes = np.full((num_users, _TOPICS), -0.35)
    np.put_along_axis(tastes, liked, 1.0, axis=1)
    return tastes


def _ads(
    rng: np.random.Generator,
    mixtures: np.ndarray,
    prices: np.ndarray,
    names: np.ndarray,
    vocabulary: np.ndarray,
) -> pa.Table:
    """Ads with 4 words of title and 10 of description, a quarter common."""
    num_ads, num_words = len(mixtures), 14
    cumulative = mixtures.cumsum(axis=1)[:, None, :]
    topics = (rng.random((num_ads, num_words, 1)) > cumulative).sum(axis=2)
    topics = np.minimum(topics, _TOPICS - 1)
    common = rng.random((num_ads, num_words)) < 0.25
    topics[common] = _TOPICS
    words = vocabulary[
        topics, rng.integers(0, _TOPIC_WORDS, (num_ads, num_words))
    ]
    main = mixtures.argmax(axis=1)
    return pa.table(
        {
            "ad_id": _numbered("a", np.arange(num_ads)),
            "title": [" ".join(w[:4]).capitalize() for w in words],
            "description": [" ".join(w[4:]).capitalize() + "." for w in words],
            "tags": [[name] for name in names[main].tolist()],
            # Two topics share a category, so it tells less than the words do.
            "ad.category": [f"category {code}" for code in main // 2],
            "ad.price": prices,
        }
    )


def _slates(
    rng: np.random.Generator, num_requests: int, num_ads: int, slate_size: int
) -> np.ndarray:
    """Distinct ads per request, int64 [num_requests, C]."""
    slates = rng.integers(0, num_ads, (num_requests, slate_size))
    while True:
        ordered = np.sort(slates, axis=1)
        repeats = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        if not repeats.any():
            return slates
        if slate_size > num_ads // 2:
            # Redrawing would take long where nearly all ads are shown.
            keys = rng.random((num_requests, num_ads))
            return keys.argsort(axis=1)[:, :slate_size]
        slates[repeats] = rng.integers(
            0, num_ads, (int(repeats.sum()), slate_size)
        )


def _numbered(letter: str, numbers: np.ndarray) -> pa.Array:
    text = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 6, padding="0")
    return pc.binary_join_element_wise(letter, text, "")


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
