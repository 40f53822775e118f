import numpy as np
import pyarrow.parquet as pq
import pytest

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data import sources


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("worlds") / "world"
    return out, sources.prepare_synthetic(out, 0)


def test_sizes(world):
    out, summary = world
    assert summary.sizes["impressions"] == 2000 * 50 * 5
    assert summary.sizes["requests"] == 2000 * 50
    assert summary.sizes["ads"] == 400
    assert summary.sizes["users"] == 2000
    sizes = summary.sizes
    assert sizes["events"] == sizes["clicked"] + sizes["converted"]
    assert sizes["events"] > 20 * sizes["users"]
    assert 0.05 < sizes["clicked"] / sizes["impressions"] < 0.2
    impressions = pq.read_table(out / "impressions.parquet")
    slates = impressions.group_by("request_id").aggregate(
        [("ad_id", "count_distinct"), ("position", "count_distinct")]
    )
    assert set(slates["ad_id_count_distinct"].to_pylist()) == {5}
    assert set(slates["position_count_distinct"].to_pylist()) == {5}


def test_the_truth_is_in_no_schema(world):
    schema = Schema.from_json((world[0] / "schema.json").read_text())
    assert schema.labels == ("clicked", "converted")
    (position,) = schema.of("candidate")
    assert (position.name, position.kind) == ("position", "category")
    assert position.vocabulary == ("0", "1", "2", "3", "4")
    assert {f.name for f in schema.of("ad")} == {"category", "price"}
    assert len(schema.features) == 3


@pytest.mark.parametrize(
    ("label", "truth", "given"),
    [
        ("clicked", "true_click_probability", None),
        ("converted", "true_conversion_probability", "clicked"),
    ],
)
def test_labels_follow_the_true_probabilities(world, label, truth, given):
    table = pq.read_table(world[0] / "impressions.parquet")
    if given:
        table = table.filter(table[given].to_numpy() == 1)
    order = np.argsort(table[truth].to_numpy(), kind="stable")
    labels = table[label].to_numpy()[order]
    probabilities = table[truth].to_numpy()[order]
    for rows in np.array_split(np.arange(len(order)), 10):
        p = probabilities[rows]
        # The deviation of a mean of independent draws; 4 of them are exceeded
        # once in 16,000 deciles.
        error = np.sqrt((p * (1 - p)).sum()) / len(rows)
        assert abs(labels[rows].mean() - p.mean()) < 4 * error


def test_conversions_only_follow_clicks(world):
    table = pq.read_table(world[0] / "impressions.parquet")
    clicked, converted = (table[n].to_numpy() for n in ("clicked", "converted"))
    assert (clicked >= converted).all()


def test_auc_of_the_truth(world):
    table = pq.read_table(world[0] / "impressions.parquet")
    ranks = table["true_click_probability"].to_numpy().argsort().argsort() + 1
    positive = table["clicked"].to_numpy() == 1
    n, p = len(ranks), positive.sum()
    auc = (ranks[positive].sum() - p * (p + 1) / 2) / (p * (n - p))
    assert 0.75 < auc < 0.8


def test_position_lowers_clicks_as_stated(world):
    table = pq.read_table(world[0] / "impressions.parquet")
    position = table["position"].to_numpy().astype(int)
    truth = table["true_click_probability"].to_numpy()
    top = truth[position == 0].mean()
    for place in range(1, 5):
        expected = 1 / (1 + 0.15 * place)
        assert truth[position == place].mean() / top == pytest.approx(
            expected, rel=0.03
        )


def test_the_copy_tells_the_topic(world):
    # Ads with the same tag share words, ads with different tags hardly any.
    ads = pq.read_table(world[0] / "ads.parquet").to_pylist()
    words = [{*ad["title"].lower().split()} for ad in ads]
    tags = [ad["tags"][0] for ad in ads]
    same, other = [], []
    for i in range(len(ads)):
        for j in range(i):
            overlap = len(words[i] & words[j])
            (same if tags[i] == tags[j] else other).append(overlap)
    assert np.mean(same) > 2.5 * np.mean(other)


SMALL = {"num_users": 20, "num_ads": 10, "requests_per_user": 3}


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        sources.prepare_synthetic(tmp_path / name, seed, **SMALL)
    for file in ("ads", "events", "impressions"):
        a, b, c = (
            (tmp_path / name / f"{file}.parquet").read_bytes() for name in "abc"
        )
        assert a == b
        assert a != c


def test_a_slate_may_hold_the_whole_catalogue(tmp_path):
    sources.prepare_synthetic(tmp_path / "w", 0, **SMALL, slate_size=10)
    table = pq.read_table(tmp_path / "w" / "impressions.parquet")
    ads = table.slice(0, 10)["ad_id"].to_pylist()
    assert sorted(ads) == [f"a{n:06}" for n in range(10)]


@pytest.mark.parametrize(
    "sizes",
    [
        {"num_users": 0},
        {"requests_per_user": 0},
        {"slate_size": 0},
        {"num_ads": 4},
        {"seed": -1},
    ],
)
def test_impossible_worlds(tmp_path, sizes):
    with pytest.raises(InputError, match="a world needs a seed >= 0"):
        sources.prepare_synthetic(tmp_path / "w", **{"seed": 0, **sizes})
