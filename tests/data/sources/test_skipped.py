import pyarrow.parquet as pq
import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset

LOG = """user,ad,time,click,request
u,a,10,1,r1
u,b,12,0,r1
u,c,15,0,r1
u,b,20,0,r2
v,b,15,0,r3
"""
CLICKS = """user,ad,time,kind,seconds
u,a,11,click,3
u,b,20,hide,1
v,b,16,view,9
"""
CONFIG = {
    "ads": {"file": "log.csv", "deduplicate": True, "ad_id": "ad"},
    "events": {
        "file": "clicks.csv",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "event_type": "kind",
        "features": {"seconds": "number"},
    },
    "impressions": {
        "file": "log.csv",
        "request_id": "request",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "clicked": "click",
    },
}
TOLD = [
    ("u", "a", 11, "click", 3.0),
    ("u", "b", 20, "hide", 1.0),
    ("v", "b", 16, "view", 9.0),
]
# Each when its request was over. That of r2 is told by the event `hide`.
SKIPPED = [
    ("u", "b", 15, "skipped", None),
    ("u", "c", 15, "skipped", None),
    ("v", "b", 15, "skipped", None),
]


def prepare(folder, *, clicks=CLICKS, like=None, **changes):
    config = {
        section: {**values, **changes.get(section, {})}
        for section, values in CONFIG.items()
    }
    config |= {k: v for k, v in changes.items() if k not in CONFIG}
    (folder / "log.csv").write_text(LOG)
    (folder / "clicks.csv").write_text(clicks)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return sources.prepare_table(
        folder / "config.yaml", folder / "out", like=like
    )


def events(folder):
    names = ("user_id", "ad_id", "timestamp", "event_type", "history_seconds")
    table = pq.read_table(folder / "out" / "events.parquet")
    return sorted(zip(*(table[n].to_pylist() for n in names), strict=True))


def types(folder):
    text = (folder / "out" / "schema.json").read_text("utf-8")
    return Schema.from_json(text).event_types


def test_what_was_shown_and_not_clicked_is_an_event(tmp_path):
    summary = prepare(tmp_path)
    assert events(tmp_path) == sorted(TOLD + SKIPPED)
    assert types(tmp_path) == ("click", "hide", "skipped", "view")
    (note,) = (n for n in summary.notes if "skipped" in n)
    assert note.startswith("3 impressions without a click")


def test_nothing_of_its_own_request_or_later_is_in_a_history(tmp_path):
    prepare(tmp_path)
    dataset = open_dataset(tmp_path / "out").with_history_length(9)
    inputs, _ = next(iter(dataset.batches(9)))
    rows = dataset.impressions
    names = [dataset.catalogue.ad_ids[ad - 1] for ad in rows.ads]
    seen = {
        (names[i], int(rows.times[i])): sorted(
            zip(
                [
                    dataset.catalogue.ad_ids[ad - 1]
                    for ad in inputs["history_ads"][i][:length]
                ],
                inputs["history_ages"][i][:length].numpy().tolist(),
                strict=True,
            )
        )
        for i, length in enumerate(inputs["history_length"].numpy())
        if rows.users[i] == 1
    }
    assert seen == {
        ("a", 10): [],
        # r1 goes on until 15: what it showed at 12 is no news for it.
        ("b", 12): [("a", 1)],
        ("c", 15): [("a", 4)],
        ("b", 20): [("a", 9), ("b", 5), ("c", 5)],
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"events": {"skipped": False}},
        {"impressions": {"negatives_kept": 0.5}},
        {"clicks": CLICKS.replace("hide", "skipped")},
    ],
)
def test_where_they_are_not_wanted_or_told_already(tmp_path, changes):
    prepare(tmp_path, **changes)
    assert len(events(tmp_path)) == len(TOLD)


def test_they_may_be_wanted_nevertheless(tmp_path):
    prepare(
        tmp_path,
        events={"skipped": True},
        impressions={"negatives_kept": 0.5},
    )
    assert events(tmp_path) == sorted(TOLD + SKIPPED)


def test_another_dataset_without_them_has_none(tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    prepare(tmp_path / "one", events={"skipped": False})
    prepare(tmp_path / "two", like=tmp_path / "one" / "out")
    assert len(events(tmp_path / "two")) == len(TOLD)
    prepare(tmp_path / "one")
    prepare(tmp_path / "three", like=tmp_path / "one" / "out")
    assert len(events(tmp_path / "three")) == len(TOLD + SKIPPED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"events": {"skipped": "no"}}, "events.skipped must be true or false"),
        (
            {
                "events": {"skipped": True},
                "impressions": {"clicked": None},
                "sampling": {"negatives_per_positive": 1},
            },
            "ads without a click are sampled",
        ),
        (
            {
                "events": {"skipped": True, "features": {}},
                "impressions": {"history": "ad"},
            },
            "histories come along",
        ),
    ],
)
def test_where_the_log_does_not_tell(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, **changes)
