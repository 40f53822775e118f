import numpy as np
import pyarrow as pa
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.sources import sampling
from tfadrec.data.sources.sampling import with_negatives

CATALOGUE = pa.array([f"a{n}" for n in range(50)])


def purchases(requests, ads):
    return pa.table(
        {
            "request_id": [f"r{r}" for r in requests],
            "user_id": [f"u{r % 7}" for r in requests],
            "ad_id": [f"a{a}" for a in ads],
            "timestamp": [1000 + r for r in requests],
            "country": [f"c{r % 3}" for r in requests],
        }
    )


def sample(table, ledger=None, catalogue=CATALOGUE, **options):
    settings = {
        "negatives_per_positive": 4,
        "strategy": "uniform",
        "seed": 0,
        **options,
    }
    ledger = ledger or Ledger()
    return with_negatives(table, catalogue, ledger=ledger, **settings)


def pairs(table):
    return list(
        zip(
            table["request_id"].to_pylist(),
            table["ad_id"].to_pylist(),
            strict=True,
        )
    )


@pytest.fixture
def bought():
    rng = np.random.default_rng(0)
    requests = np.repeat(np.arange(200), 3)
    # Ads are bought in proportion to their number; a0 never.
    ads = rng.choice(50, 600, p=np.arange(50) / 1225)
    return purchases(requests.tolist(), ads.tolist())


@pytest.mark.parametrize("strategy", ["uniform", "popularity"])
def test_what_every_sample_keeps(bought, strategy):
    table = sample(bought, strategy=strategy)
    positive = table["clicked"].to_numpy() == 1
    assert table["clicked"] == table["converted"]
    assert set(pairs(table.filter(positive))) == set(pairs(bought))
    # The ads of a request are distinct, so none was bought in it.
    assert len(set(pairs(table))) == len(table)
    number = len(set(pairs(bought)))
    assert (positive.sum(), len(table)) == (number, 5 * number)
    for row in table.to_pylist():
        request = int(row["request_id"][1:])
        assert row["user_id"] == f"u{request % 7}"
        assert row["timestamp"] == 1000 + request
        assert row["country"] == f"c{request % 3}"


def test_strategies(bought):
    counts = {}
    for strategy in ("uniform", "popularity"):
        table = sample(bought, strategy=strategy)
        negative = table.filter(table["clicked"].to_numpy() == 0)
        ads = [int(ad[1:]) for ad in negative["ad_id"].to_pylist()]
        counts[strategy] = np.bincount(ads, minlength=50)
    # About 2,330 negatives; without what is excluded, 47 of each ad.
    assert counts["uniform"].min() > 20
    # a0 was never bought; the others are bought in proportion to 1 .. 49.
    assert counts["popularity"][0] == 0
    by_tens = counts["popularity"].reshape(5, 10).sum(axis=1)
    assert (np.diff(by_tens) > 0).all()
    assert by_tens[-1] > 4 * by_tens[0]


def test_the_seed_decides(bought):
    assert sample(bought, seed=1) == sample(bought, seed=1)
    assert sample(bought, seed=1) != sample(bought, seed=2)


def test_place_does_not_tell_the_purchase(bought):
    # Whether the first row of a request is bought: 1 of 5 by chance.
    table = sample(bought)
    first = np.unique(table["request_id"].to_numpy(), return_index=True)[1]
    share = table["clicked"].to_numpy()[first].mean()
    assert abs(share - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 200)


def test_repeated_purchases_are_folded():
    ledger = Ledger()
    table = sample(purchases([1, 1, 2], [3, 3, 3]), ledger)
    assert len(table) == 10
    assert ledger.notes == [
        "1 purchases repeat an ad of their request and are folded into its "
        "first purchase",
        "8 negatives are sampled",
    ]


def test_too_few_ads_to_draw_from():
    ledger = Ledger()
    table = sample(purchases([1, 1], [0, 1]), ledger, CATALOGUE.slice(0, 5))
    # Three ads are left for eight negatives.
    assert sorted(pairs(table)) == [("r1", f"a{n}") for n in range(5)]
    assert ledger.notes[0].startswith("5 of 8 negatives are left out")


def test_more_rows_than_can_be_held(monkeypatch):
    monkeypatch.setattr(sampling, "_MOST_ROWS", 39)
    table = purchases(range(10), range(10))
    assert len(sample(table, negatives_per_positive=3)) == 40
    with pytest.raises(InputError, match="10 purchases with 4 negatives each"):
        sample(table)
