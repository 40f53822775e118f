"""The lines of YAML in docs/data.md do what the page says."""

import pathlib
import re

import pytest
import yaml

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
