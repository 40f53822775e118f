import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.data.spilled import NOWHERE, spilled
from tfadrec.core.errors import InputError
from tfadrec.data import open_dataset
from tfadrec.data.intake import limits
from tfadrec.data.intake.coded_tables import plain_table, with_codes
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources import hands, prepare_table, sampling
from tfadrec.data.sources.sampling import with_negatives

DAY = 86_400
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
        "period": "auto",
        "seed": 0,
        **options,
    }
    ledger = ledger or Ledger()
    return with_negatives(
        spilled(table), catalogue, ledger=ledger, workspace=NOWHERE, **settings
    ).table()


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


def negatives(table):
    ads = table.filter(table["clicked"].to_numpy() == 0)["ad_id"].to_pylist()
    return np.bincount([int(ad[1:]) for ad in ads], minlength=50)


def test_popularity_draws_an_ad_as_often_as_it_was_bought(bought):
    ads = [int(ad[1:]) for _, ad in set(pairs(bought))]
    times_bought = np.bincount(ads, minlength=50)
    drawn = negatives(sample(bought, strategy="popularity"))
    # Not about four times as often: all swaps keep the number.
    np.testing.assert_array_equal(drawn, 4 * times_bought)


def test_uniform_draws_every_bought_ad_alike(bought):
    drawn = negatives(sample(bought, strategy="uniform"))
    was_bought = np.isin(CATALOGUE, bought["ad_id"])
    assert not was_bought[0]
    assert not drawn[~was_bought].any()
    assert np.ptp(drawn[was_bought]) <= 1


@pytest.mark.parametrize("strategy", ["uniform", "popularity"])
def test_no_negative_comes_from_another_period(strategy):
    # a0 to a19 are bought on the first day, a20 to a39 on the second.
    requests = np.arange(400)
    ads = np.where(requests < 200, requests % 20, 20 + requests % 20)
    table = purchases(requests.tolist(), ads.tolist())
    days = np.where(requests < 200, DAY - 1, DAY)
    table = table.set_column(3, "timestamp", pa.array(days))
    drawn = sample(table, strategy=strategy, period="day").to_pylist()
    assert len(drawn) == 5 * 400
    for row in drawn:
        assert (int(row["ad_id"][1:]) < 20) == (row["timestamp"] < DAY)
    # In the whole log the days mix.
    drawn = sample(table, strategy=strategy, period="all").to_pylist()
    mixed = [
        (int(row["ad_id"][1:]) < 20) != (row["timestamp"] < DAY)
        for row in drawn
    ]
    assert sum(mixed) > 600


def test_the_rate_in_one_split_does_not_tell_that_in_another(bought):
    """In each split an ad is a negative as often as it was bought there."""
    random = np.random.default_rng(1)
    splits = random.choice(["train", "valid", "test"], 200, p=[0.6, 0.2, 0.2])
    of_request = {f"r{n}": split for n, split in enumerate(splits)}
    column = [of_request[r] for r in bought["request_id"].to_pylist()]
    table = bought.append_column("split", pa.array(column))
    drawn = sample(table, strategy="popularity", negatives_per_positive=2)
    for split in ("train", "valid", "test"):
        part = drawn.filter(pc.equal(drawn["split"], split))
        own = table.filter(pc.equal(table["split"], split))
        ads = [int(ad[1:]) for _, ad in set(pairs(own))]
        np.testing.assert_array_equal(
            negatives(part), 2 * np.bincount(ads, minlength=50)
        )


def test_an_ad_that_the_user_bought_elsewhere_may_be_drawn(bought):
    own = {(row["user_id"], row["ad_id"]) for row in bought.to_pylist()}
    assert any(
        (row["user_id"], row["ad_id"]) in own and not row["clicked"]
        for row in sample(bought).to_pylist()
    )


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
    table = purchases([1, 1, 2, 2], [3, 3, 4, 4])
    table = sample(table, ledger, negatives_per_positive=1)
    assert sorted(pairs(table)) == [
        (f"r{request}", f"a{ad}") for request in (1, 2) for ad in (3, 4)
    ]
    assert ledger.notes == [
        "2 purchases repeat an ad of their request and are folded into its "
        "first purchase",
        "2 negatives are sampled out of what was bought within the day of the "
        "purchase",
    ]


def test_too_few_ads_to_draw_from():
    ledger = Ledger()
    table = sample(purchases([1, 1, 2], [0, 1, 2]), ledger, period="all")
    # Each request has the other's ads left: 1 for 8 places, and 2 for 4.
    assert sorted(pairs(table)) == [
        (f"r{request}", f"a{ad}") for request in (1, 2) for ad in (0, 1, 2)
    ]
    assert ledger.notes == [
        "9 of 12 negatives are left out: too few other ads were bought in the "
        "whole log, or in too few requests",
        "3 negatives are sampled out of what was bought in the whole log",
    ]


@pytest.mark.parametrize("strategy", ["uniform", "popularity"])
@pytest.mark.parametrize(
    ("requests", "ads", "period", "within"),
    [
        ([0, 1], [1, 1], "auto", "within the day"),  # one ad
        ([0, 0, 0], [1, 2, 3], "all", "in the whole log"),  # one basket
        ([0, DAY, 2 * DAY], [1, 2, 3], "day", "within the day"),
    ],
)
def test_no_ad_to_draw(strategy, requests, ads, period, within):
    table = purchases(requests, ads)
    with pytest.raises(InputError, match=f"no other ads that .* {within}"):
        sample(table, strategy=strategy, period=period)


def test_no_purchases():
    table = purchases([], [])
    for number, kind in ((0, pa.string()), (2, pa.string())):
        table = table.set_column(
            number, table.column_names[number], pa.array([], kind)
        )
    table = table.set_column(3, "timestamp", pa.array([], pa.int64()))
    for strategy in ("popularity", "uniform"):
        assert len(sample(table, strategy=strategy)) == 0


@pytest.mark.parametrize(
    ("strategy", "period", "places", "named"),
    [
        ("popularity", "auto", 120, True),
        ("uniform", "all", 99, True),
        ("uniform", "day", 20, True),
        # A user's rows of one second are a request.
        ("uniform", "all", 99, False),
    ],
)
def test_batches_and_parts_change_no_row(
    tmp_path, monkeypatch, strategy, period, places, named
):
    """Hands of few places, which the machine has no part in."""
    monkeypatch.setattr(hands, "PLACES", places)
    rng = np.random.default_rng(0)
    # Requests are users, come again, and repeat their ads.
    table = purchases(
        rng.integers(0, 30, 150).tolist(), rng.integers(0, 50, 150).tolist()
    )
    times = np.sort(rng.integers(0, 5 * DAY, 150))
    table = table.set_column(3, "timestamp", pa.array(times))
    splits = rng.choice(["train", "test"], 150, p=[0.8, 0.2])
    table = table.append_column("split", pa.array(splits))
    if not named:
        # Some of whose rows are in several batches.
        times = pa.array(times // DAY * DAY)
        table = table.set_column(3, "timestamp", times)
        table = table.drop_columns(["request_id"])
    settings = {
        "negatives_per_positive": 3,
        "strategy": strategy,
        "period": period,
        "seed": 0,
    }
    one, many = Ledger(), Ledger()
    whole = plain_table(sample(table, one, **settings))
    for batch_rows, part_rows in ((25, 60), (150, 100)):
        monkeypatch.setattr(limits, "BATCH_ROWS", batch_rows)
        monkeypatch.setattr(limits, "PART_ROWS", part_rows)
        many.notes.clear()
        with Workspace(tmp_path / "d", "dataset") as workspace:
            log = SpilledTable(workspace)
            for begin in range(0, 150, batch_rows):
                log.append(with_codes(table.slice(begin, batch_rows)))
            found = with_negatives(
                log, CATALOGUE, ledger=many, workspace=workspace, **settings
            )
            assert len(found.lengths) > 1
            assert plain_table(found.table()) == whole
        assert many.notes == one.notes
    if not named:
        return
    # No request has an ad twice, and all that was bought is there.
    assert len(set(pairs(whole))) == len(whole)
    positive = whole.filter(whole["clicked"].to_numpy() == 1)
    assert set(pairs(positive)) == set(pairs(table))


@pytest.mark.parametrize("strategy", ["popularity", "uniform"])
def test_a_period_that_is_cut_is_dealt_alike(bought, monkeypatch, strategy):
    """Of 2,400 places, in hands of 500."""
    monkeypatch.setattr(hands, "PLACES", 500)
    ledger = Ledger()
    table = sample(bought, ledger, strategy=strategy, period="all")
    drawn = negatives(table)
    number = len(set(pairs(bought)))
    left_out = 4 * number - drawn.sum()
    assert left_out <= 0.02 * 4 * number
    if strategy == "popularity":
        ads = [int(ad[1:]) for _, ad in set(pairs(bought))]
        expected = 4 * np.bincount(ads, minlength=50)
        assert np.abs(drawn - expected).sum() == left_out
    else:
        # Each hand may hold an ad once more.
        was_bought = np.isin(CATALOGUE, bought["ad_id"])
        assert np.ptp(drawn[was_bought]) <= 5 + left_out


def test_more_rows_than_can_be_held(monkeypatch):
    monkeypatch.setattr(sampling, "_MOST_ROWS", 39)
    table = purchases(range(10), range(10))
    assert len(sample(table, negatives_per_positive=3)) == 40
    with pytest.raises(InputError, match="10 purchases with 4 negatives each"):
        sample(table)


def test_a_user_whose_purchase_was_folded_is_no_user(tmp_path):
    """Of two users in one request who bought the same, the first one counts."""
    (tmp_path / "ads.csv").write_text("id,name\na,A\nb,B\n")
    (tmp_path / "log.csv").write_text(
        "req,user,ad,time\n"
        "r1,u1,a,1600000000\nr1,u2,a,1600000000\nr2,u3,b,1600000001\n"
    )
    (tmp_path / "c.yaml").write_text(
        "name: made\n"
        "ads: {file: ads.csv, ad_id: id, title: name}\n"
        "impressions: {file: log.csv, request_id: req, user_id: user, "
        "ad_id: ad, timestamp: time}\n"
        "sampling: {negatives_per_positive: 1, period: all}\n"
    )
    prepare_table(tmp_path / "c.yaml", tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    assert dataset.user_ids.tolist() == ["u1", "u3"]
    assert sorted(dataset.impressions.users.tolist()) == [1, 1, 2, 2]
