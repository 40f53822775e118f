"""The lines of YAML in docs/data.md do what the page says."""

import pathlib
import re

import pytest
import yaml

from tests import public_logs
from tfadrec.core.schema import Schema
from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.sources.table_config import read_config

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "data.md"
FILES = {
    "ads.csv": "id,brand,class,price,rating,topics,topic_shares,embedding\n"
    "a,Nike,shoes,9.5,4,run;sun,run:0.7 sun:0.3,0.1 0.2\n"
    "b,Puma,hats,30,5,sun,sun:1,0.3 0.4\n",
    "users.csv": "id,gender,city,age,favourite_brand,clicks_by_brand,"
    "clicks_by_class_and_brand,liked_topics\n"
    "u,f,Rome,30,Nike,Nike:3 Puma:1,shoes:Nike:3,run sun\n"
    "v,m,Rome,50,,,,\n"
    "w,m,Oslo,20,Puma,Puma:2,,\n",
    "events.csv": "user,ad,time,dwell_seconds,query\nu,a,5,2.5,sun\nv,b,6,,\n",
    "log.csv": "user,ad,time,request,click,terms,revenue,returned\n"
    "u,a,10,q,1,run sun,9.99,0\n"
    "u,b,10,q,0,run sun,0,0\n"
    "v,b,20,r,0,,0,1\n",
}
LOG = {"user_id": "user", "ad_id": "ad", "timestamp": "time"}
CONFIG = {
    "ads": {
        "file": "ads.csv",
        "ad_id": "id",
        "features": {
            "brand": "category",
            "topics": {"kind": "categories", "separator": ";"},
        },
    },
    "users": {
        "file": "users.csv",
        "user_id": "id",
        "features": {"gender": "category"},
    },
    "events": {"file": "events.csv", **LOG, "event_type": {"constant": "view"}},
    "impressions": {"file": "log.csv", **LOG, "clicked": "click"},
}


def rows():
    """Name and code spans of each row of the table."""
    section = PAGE.read_text("utf-8").partition("## Coming from EasyRec")[2]
    section = section.partition("\n## ")[0]
    cells = [
        line.strip("|").split("|")
        for line in section.splitlines()
        if line.startswith("| ") and not line.startswith("| theirs")
    ]
    return [
        (name.strip(), re.findall(r"`([^`]+)`", here))
        for name, _, here in cells
    ]


def merged(base, more):
    if not isinstance(base, dict) or not isinstance(more, dict):
        return more
    return base | {
        key: merged(base.get(key, {}), value) for key, value in more.items()
    }


def test_the_table_is_found():
    assert len(rows()) == 24
    assert all(spans for _, spans in rows())


@pytest.mark.parametrize(
    ("name", "spans"), rows(), ids=[name for name, _ in rows()]
)
def test_each_line_of_yaml_does_its_work(name, spans, tmp_path):
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    config = CONFIG
    kinds, labels = {}, ()
    for span in spans:
        line = yaml.safe_load(span)
        config = merged(config, line)
        for section, keys in line.items():
            entity = {"ads": "ad", "users": "user", "events": "event"}.get(
                section, "context"
            )
            for owner, given in (
                (entity, keys.get("features", {})),
                ("candidate", keys.get("candidate_features", {})),
            ):
                for feature, value in given.items():
                    kind = value if isinstance(value, str) else value["kind"]
                    kinds[owner, feature] = kind
            labels = tuple(keys.get("labels", ()))
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    summary = sources.prepare_table(path, tmp_path / "out")
    assert all(count.rejected == 0 for count in summary.counts)
    assert not any(
        "cannot be read" in n or "no num" in n for n in summary.notes
    )
    schema = Schema.from_json((tmp_path / "out" / "schema.json").read_text())
    assert kinds or labels or "request_id" in spans[0]
    found = {(f.entity, f.name): f.kind for f in schema.features}
    assert kinds.items() <= found.items()
    assert schema.labels == ("clicked", *labels)
    assert len(open_dataset(tmp_path / "out")) == 3


def test_the_whole_example_is_read(tmp_path):
    text = PAGE.read_text("utf-8")
    example = next(
        block
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
        if block.startswith("name: shop")
    )
    (tmp_path / "config.yaml").write_text(example)
    config = read_config(tmp_path / "config.yaml")
    assert [f.key for f in config.features] == [
        "ad.brand",
        "ad.price",
        "ad.tags",
        "user.age",
        "event.dwell_seconds",
        "candidate.position",
        "context.device",
        "candidate.bid",
    ]
    assert config.labels == ("clicked", "converted", "revenue")


def block(start):
    """The block of YAML in the page that begins like this."""
    text = PAGE.read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return next(b for b in blocks if b.startswith(start))


def test_the_films_are_read(tmp_path):
    (tmp_path / "c.yaml").write_text(block("ads:\n  file: movies.dat"))
    films = "1::Amélie (2001)::Comedy|Romance\n"
    (tmp_path / "movies.dat").write_bytes(films.encode("latin-1"))
    ratings = "7::1::1::978300760\n7::1::0::978299999\n"
    (tmp_path / "ratings.dat").write_text(ratings)
    summary = sources.prepare_table(tmp_path / "c.yaml", tmp_path / "out")
    counts = [(c.read, c.kept, c.left_out) for c in summary.counts]
    assert counts == [(1, 1, 0), (2, 1, 1)]
    catalogue = open_dataset(tmp_path / "out").catalogue
    assert catalogue.titles == ["Amélie (2001)"]
    assert catalogue.tags == [["Comedy", "Romance"]]


def test_both_ways_to_type_a_history(tmp_path):
    ways = block("  history: {column: past, types").splitlines()
    assert len(ways) == 2
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    for way, past in zip(ways, ("a b", "a:view b:buy"), strict=True):
        log = f"user,ad,time,click,past,past_types\nu,a,9,1,{past},view buy\n"
        (tmp_path / "log.csv").write_text(log)
        config = merged(CONFIG, {"impressions": yaml.safe_load(way)})
        del config["events"]
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
        sources.prepare_table(tmp_path / "c.yaml", tmp_path / "out")
        dataset = open_dataset(tmp_path / "out")
        assert dataset.schema.event_types == ("buy", "view")
        assert dataset.events.types.tolist() == [2, 1]


EXAMPLES = PAGE.parents[1] / "examples"
PUBLIC = ("amazon_industrial", "lastfm", "open_bandit", "upworthy")


@pytest.mark.parametrize("name", [*PUBLIC, "online_retail"])
def test_an_example_is_short(name, tmp_path):
    path = EXAMPLES / f"{name}.yaml"
    assert len(path.read_text("utf-8").splitlines()) <= 20
    assert read_config(path).name == name.replace("_", "-")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "ads", "impressions", "clicked", "left_out"),
    [
        ("amazon_industrial", 3686, 90_650, 9065, 0),
        ("lastfm", 17_632, 459_440, 92_834, 0),
        ("open_bandit", 34, 10_000, 46, 10_000),
        ("upworthy", 5315, 18_634, 9314, 0),
    ],
)
def test_the_examples_read_public_logs(
    tmp_path, name, ads, impressions, clicked, left_out
):
    text, files = public_logs.example(name)
    for file in files:
        (tmp_path / file).symlink_to(public_logs.DATA / file)
    (tmp_path / "c.yaml").write_text(text, "utf-8")
    summary = sources.prepare_table(tmp_path / "c.yaml", tmp_path / "out")
    sizes = summary.sizes
    assert (sizes["ads"], sizes["impressions"]) == (ads, impressions)
    assert sizes["clicked"] == clicked
    assert sum(count.rejected for count in summary.counts) == 0
    assert sum(count.left_out for count in summary.counts) == left_out
