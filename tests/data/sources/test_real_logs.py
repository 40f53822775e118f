"""Logs as other tools write them, and what is refused of them."""

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.data.spilled import spilled
from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data import sources
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.sources.table_histories import note_no_histories

ADS = "id,name\na,Apple\nb,Pear\n"
LOG = "user,ad,time,click\nu,a,1600000000,1\nv,b,1600000060,0\n"
CONFIG = {
    "ads": {"file": "ads.csv", "ad_id": "id", "title": "name"},
    "impressions": {
        "file": "log.csv",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "clicked": "click",
    },
}


def changed(section="impressions", **values):
    return {**CONFIG, section: {**CONFIG[section], **values}}


def prepare(tmp_path, config=CONFIG, files=(), **settings):
    for name, data in {"ads.csv": ADS, "log.csv": LOG, **dict(files)}.items():
        data = data.encode() if isinstance(data, str) else data
        (tmp_path / name).write_bytes(data)
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return sources.prepare_table(path, tmp_path / "out", **settings)


def column(tmp_path, name, table="impressions", folder="out"):
    return pq.read_table(tmp_path / folder / f"{table}.parquet")[
        name
    ].to_pylist()


def test_movielens_1m(tmp_path):
    """Its files have no header, two colons between fields, and latin-1."""
    films = "1::Amélie (2001)::Comedy|Romance\n2::Heat (1995)::Action\n"
    ratings = "7::1::1::978300760\n7::2::0::978302109\n"
    config = {
        "ads": {
            "file": "movies.dat",
            "delimiter": "::",
            "encoding": "latin-1",
            "columns": ["film", "title", "genres"],
            "ad_id": "film",
            "title": "title",
            "tags": {"column": "genres", "separator": "|"},
        },
        "impressions": {
            "file": "ratings.dat",
            "delimiter": "::",
            "columns": ["user", "film", "liked", "time"],
            "user_id": "user",
            "ad_id": "film",
            "timestamp": "time",
            "clicked": "liked",
        },
    }
    files = {"movies.dat": films.encode("latin-1"), "ratings.dat": ratings}
    prepare(tmp_path, config, files)
    assert column(tmp_path, "title", "ads") == ["Amélie (2001)", "Heat (1995)"]
    assert column(tmp_path, "tags", "ads") == [
        ["Comedy", "Romance"],
        ["Action"],
    ]
    assert column(tmp_path, "timestamp") == [978_300_760, 978_302_109]
    assert len(open_dataset(tmp_path / "out")) == 2


def test_json_lines(tmp_path):
    ads = [
        {"id": "a", "name": "Apple", "tags": ["red", "fruit"]},
        {"id": "b", "price": 2, "tags": None},
    ]
    log = [
        {"user": "u", "ad": "a", "time": 9, "click": True, "past": ["b", "a"]},
        {"user": "v", "ad": "b", "time": 10.5, "click": False},
    ]
    config = {
        "ads": {
            "file": "ads.jsonl",
            "ad_id": "id",
            "title": "name",
            "tags": "tags",
            "features": {"price": "number", "tags": "categories"},
        },
        "impressions": {
            **CONFIG["impressions"],
            "file": "log.ndjson",
            "history": "past",
        },
    }
    prepare(
        tmp_path,
        config,
        {
            "ads.jsonl": "\n".join(map(json.dumps, ads)),
            "log.ndjson": "\n".join(map(json.dumps, log)),
        },
    )
    assert column(tmp_path, "price", "ads") == [None, 2.0]
    assert column(tmp_path, "tags", "ads") == [["red", "fruit"], []]
    assert column(tmp_path, "clicked") == [1, 0]
    assert column(tmp_path, "timestamp") == [9, 10]
    assert column(tmp_path, "ads", "histories") == [["b", "a"], []]


def test_lists_as_pandas_writes_them(tmp_path):
    ads = (
        "id,name,tags,taste\n"
        """1,A,"['red', 'it''s']","[0.5 1.0]"\n""".replace("''", "\\'")
        + '2,B,"[""blue""]","[1, 2]"\n3,C,,\n'
    )
    log = (
        "user,ad,time,click,past\n"
        'u,1,5,True,"[2, 1]"\nu,2,6,FALSE,[]\nu,3,7,false,"[3]"\n'
    )
    config = {
        "ad_id_type": "int64",
        "ads": {
            **CONFIG["ads"],
            "tags": "tags",
            "features": {"taste": "vector", "tags": "categories"},
        },
        "impressions": {**CONFIG["impressions"], "history": "past"},
    }
    prepare(tmp_path, config, {"ads.csv": ads, "log.csv": log})
    assert column(tmp_path, "tags", "ads") == [["red", "it's"], ["blue"], []]
    assert column(tmp_path, "taste", "ads") == [[0.5, 1.0], [1.0, 2.0], None]
    assert column(tmp_path, "clicked") == [1, 0, 0]
    assert column(tmp_path, "ads", "histories") == [[2, 1], [], [3]]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_time_format_holds_for_both_kinds_of_file(tmp_path, kind):
    table = pa.table(
        {
            "user": ["u", "v"],
            "ad": ["a", "b"],
            "time": [14102100, 14102123],
            "click": [1, 0],
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    log = "user,ad,time,click\nu,a,14102100,1\nv,b,14102123,0\n"
    when = {"column": "time", "format": "%y%m%d%H"}
    config = changed(file=f"log.{kind}", timestamp=when)
    prepare(tmp_path, config, {"log.csv": log})
    assert column(tmp_path, "timestamp") == [1_413_849_600, 1_413_932_400]


def test_rows_that_are_not_wanted(tmp_path):
    log = LOG + "x,a,soon,1\nw,b,1600000120,0\n"
    config = changed(where={"user": ["u", "v", "x"], "time": ">0"})
    summary = prepare(tmp_path, config, {"log.csv": log})
    (count,) = [c for c in summary.counts if c.unit == "impressions"]
    assert (count.read, count.kept, count.rejected, count.left_out) == (
        4,
        2,
        0,
        2,
    )
    assert (
        "  log.csv: 4 impressions read = 2 kept + 0 rejected + 2 left out"
        in summary.lines()
    )
    assert column(tmp_path, "user_id") == ["u", "v"]


def test_a_split_that_is_drawn(tmp_path):
    number = 2000
    log = "user,ad,click,request\n" + "".join(
        f"u{i},{'ab'[i % 2]},{i % 2},{i // 2}\n" for i in range(number)
    )
    shares = {"valid": 0.1, "test": 0.2}
    config = changed(timestamp={"constant": "2020-01-01"}, split=shares)
    prepare(tmp_path, config, {"log.csv": log})
    drawn = column(tmp_path, "split")
    # Four deviations of a share of 2,000 draws.
    for name, share in (*shares.items(), ("train", 0.7)):
        off = 4 * (share * (1 - share) / number) ** 0.5
        assert abs(drawn.count(name) / number - share) < off
    assert set(column(tmp_path, "timestamp")) == {1_577_836_800}
    config["impressions"]["request_id"] = "request"
    prepare(tmp_path, config, {"log.csv": log})
    by_request = {}
    for request, split in zip(
        column(tmp_path, "request_id"), column(tmp_path, "split"), strict=True
    ):
        by_request.setdefault(request, set()).add(split)
    assert len(by_request) == number // 2
    assert all(len(splits) == 1 for splits in by_request.values())


@pytest.mark.parametrize(
    ("constant", "seconds"),
    [
        ("2020-01-01", 1_577_836_800),
        (datetime.date(2020, 1, 1), 1_577_836_800),
        (datetime.datetime(2020, 1, 1, 0, 0, 9), 1_577_836_809),
        (1_577_836_800, 1_577_836_800),
    ],
)
def test_one_time_for_all_rows(tmp_path, constant, seconds):
    prepare(tmp_path, changed(timestamp={"constant": constant}))
    assert column(tmp_path, "timestamp") == [seconds] * 2


TYPED = [
    (
        {"column": "past", "separator": "|", "type_separator": ":"},
        "b:view|a:x:buy|a:buy",
    ),
    (
        {"column": "past", "separator": "|", "types": "kinds"},
        "b|a:x|a",
    ),
]


@pytest.mark.parametrize(("history", "past"), TYPED)
def test_histories_with_types(tmp_path, history, past):
    ads = ADS + "a:x,Odd\n"
    log = (
        "user,ad,time,click,past,kinds\n"
        f"u,a,5,1,{past},view|buy|buy\nv,b,6,0,,\n"
    )
    summary = prepare(
        tmp_path, changed(history=history), {"ads.csv": ads, "log.csv": log}
    )
    assert column(tmp_path, "ads", "histories") == [["b", "a:x", "a"], []]
    assert column(tmp_path, "types", "histories") == [
        ["view", "buy", "buy"],
        [],
    ]
    schema = Schema.from_json((tmp_path / "out/schema.json").read_text())
    assert schema.event_types == ("buy", "view")
    dataset = open_dataset(tmp_path / "out")
    # Ads a, b, a:x are rows 1 to 3; buy and view are types 1 and 2.
    assert dataset.events.ads.tolist() == [2, 3, 1]
    assert dataset.events.types.tolist() == [2, 1, 1]
    assert dataset.impressions.history_lengths.tolist() == [3, 0]
    assert summary.sizes["impressions"] == 2


def test_entries_and_types_that_are_refused(tmp_path):
    log = (
        "user,ad,time,click,past,kinds\n"
        "u,a,5,1,a|zz|b|,x|y||\n"
        "v,b,6,0,a|b,x\n"
        "v,a,7,0,,\n"
    )
    history = {
        "column": "past",
        "separator": "|",
        "types": "kinds",
        "max_rejected": 1,
    }
    config = changed(history=history, max_rejected=0.5)
    prepare(tmp_path, config, {"log.csv": log})
    assert column(tmp_path, "ads", "histories") == [["a"], []]
    assert column(tmp_path, "types", "histories") == [["x"], []]
    rejects = pq.read_table(tmp_path / "out/rejects.parquet").to_pylist()
    assert [(r["line"], r["reason"], r["row"]) for r in rejects][:4] == [
        (2, "ad id is not in the catalogue", "zz"),
        (2, "type is missing", "b"),
        (2, "entry is missing", ""),
        (3, "kinds has another number of entries than past", rejects[3]["row"]),
    ]


def test_entries_without_a_type(tmp_path):
    log = "user,ad,time,click,past\nu,a,5,1,a b:v :v a:\nv,b,6,0,\n"
    history = {"column": "past", "type_separator": ":", "max_rejected": 0.8}
    prepare(tmp_path, changed(history=history), {"log.csv": log})
    assert column(tmp_path, "ads", "histories") == [["b"], []]
    rejects = pq.read_table(tmp_path / "out/rejects.parquet").to_pylist()
    assert [(r["reason"], r["row"]) for r in rejects] == [
        ("type is missing", "a"),
        ("ad is missing", ":v"),
        ("type is missing", "a:"),
    ]


def test_an_ad_is_described_by_the_first_value_of_each_column(tmp_path):
    ads = "id,name,price,tags\na,,,\nb,Pear,,\na,Apple,2,x y\nb,P,3,\n"
    config = changed(
        "ads",
        deduplicate=True,
        tags="tags",
        features={"price": "number"},
    )
    summary = prepare(tmp_path, config, {"ads.csv": ads})
    rows = pq.read_table(tmp_path / "out/ads.parquet").to_pylist()
    assert [(r["title"], r["price"], r["tags"]) for r in rows] == [
        ("Apple", 2.0, ["x", "y"]),
        ("Pear", 3.0, []),
    ]
    assert (
        "ads.csv: 4 ad rows describe 2 ads; the first value of each column is "
        "used (rows disagree on title of 1)" in summary.notes
    )


EVENTS = "user,ad,time,kind\n"


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ("u,a,1600000000,view\n", True),  # At the same time, not before.
        ("u.0,a,1,view\n", True),
        ("v,a,1600000059,view\nv,a,1600000099,view\n", False),
    ],
)
def test_an_event_log_that_gives_no_history_is_told(tmp_path, events, told):
    config = CONFIG | {
        "events": {
            "file": "events.csv",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "time",
            "event_type": "kind",
        }
    }
    summary = prepare(tmp_path, config, {"events.csv": EVENTS + events})
    dataset = open_dataset(tmp_path / "out")
    assert dataset.impressions.history_lengths.any() != told
    assert (
        any("no impression has a history" in n for n in summary.notes) == told
    )


@pytest.mark.parametrize(("event", "told"), [("last", False), ("none", True)])
def test_one_history_in_a_long_log_is_found(event, told):
    count = 5000
    users = [f"u{n}" for n in range(count)]
    users[-1] = "last"
    impressions = pa.table({"user_id": users, "timestamp": range(count)})
    events = pa.table({"user_id": [event], "timestamp": [count - 2]})
    ledger = Ledger()
    note_no_histories(spilled(impressions), spilled(events), None, ledger)
    assert bool(ledger.notes) == told


@pytest.mark.parametrize(("past", "told"), [("", True), ("a", False)])
def test_histories_that_are_all_empty_are_told(tmp_path, past, told):
    log = f"user,ad,time,click,past\nu,a,5,1,{past}\nv,b,6,0,\n"
    summary = prepare(tmp_path, changed(history="past"), {"log.csv": log})
    assert ("all histories are empty" in summary.notes) == told


BAD = [
    (
        changed(),
        {"log.csv": LOG + "u,zz,1600000000,1\n"},
        "at most 5 % of the impressions of log.csv may be refused. Received: 1 "
        "of 3; .* 'ad id is not in the catalogue', such as in line 4 "
        r"\(u zz 1600000000 1\). Compare how both files write ids "
        r"\(`ad_id_type: int64` reads 0012 and 12.0 as 12\), or mend the "
        "file, or allow it with impressions.max_rejected: 0.34",
    ),
    (
        changed(history="past"),
        {"log.csv": "user,ad,time,click,past\nu,a,5,1,a zz\nv,b,6,0,b\n"},
        "at most 5 % of the history entries of log.csv may be refused. "
        ".*line 2.* allow it with impressions.history.max_rejected: 0.34",
    ),
    (
        changed(),
        {"ads.csv": ADS + "a,Apple\n"},
        "Use `deduplicate: true`, or mend the file, or allow it with ads.max",
    ),
    (
        changed(),
        {
            "log.csv": LOG.replace("1600000000", "03/04/2024").replace(
                "1600000060", "05/06/2024"
            )
        },
        "time of log.csv must have a `format`.*cannot be told",
    ),
    (
        changed(),
        {"log.csv": "PK\x03\x04 and more"},
        "Received: log.csv, which looks like a ZIP archive. Unpack it",
    ),
    (
        changed(where={"user": "nobody"}),
        {},
        "`where` must leave impressions of log.csv. Received: 2 rows, none",
    ),
    (changed(where={"x": 1}), {}, "log.csv must have the column 'x'"),
    (changed(where=[1]), {}, "impressions.where must give a condition"),
    (changed(where={"x": {}}), {}, "impressions.where.x must be a value"),
    (changed(encoding="utf-9"), {}, "impressions.encoding must be an encod"),
    (changed(encoding=3), {}, "impressions.encoding must be an encod"),
    (changed(delimiter='"'), {}, "impressions.delimiter must be characters"),
    (changed(delimiter="\n"), {}, "impressions.delimiter must be characters"),
    (changed(delimiter="\0"), {}, "impressions.delimiter must be characters"),
    (changed(delimiter=3), {}, "impressions.delimiter must be characters"),
    (changed(max_rejected=5), {}, r"impressions.max_rejected must be a share"),
    (changed(max_rejected=True), {}, "impressions.max_rejected must be a sh"),
    (changed(columns=[]), {}, "impressions.columns must list the names of all"),
    (changed(columns=["a", "a"]), {}, "impressions.columns must list the nam"),
    (changed(columns="a b"), {}, "impressions.columns must list the names of"),
    (
        changed(columns=["user", "ad", "when", "click"]),
        {},
        "impressions must name columns that `columns` lists. Received: 'time'",
    ),
    (
        changed(timestamp={"column": "time", "format": "%Q"}),
        {},
        "impressions.timestamp.format must be a format of Python's strptime",
    ),
    (
        changed(timestamp={"column": "time", "timezone": "Berlin"}),
        {},
        "impressions.timestamp.timezone must be a time zone by its IANA name",
    ),
    *(
        (
            changed(timestamp={"column": "time", **settings}),
            {},
            "impressions.timestamp.unit must be s, ms, us, ns, and go without",
        )
        for settings in ({"unit": "hours"}, {"unit": "ms", "format": "%Y"})
    ),
    (
        changed(timestamp={"constant": "today"}),
        {},
        "impressions.timestamp.constant must be a time. Received: 'today'",
    ),
    (
        changed(timestamp={"constant": "5", "format": "%Y"}),
        {},
        "impressions.timestamp must be the name of a column, or {column: …} or "
        "{constant: …} or {column: …, format: …} or {column: …, timezone: …}",
    ),
    (
        changed(split={"valid": 0.5, "test": 0.5}),
        {},
        "impressions.split must h",
    ),
    (changed(split={"valid": 0, "test": 0.5}), {}, "impressions.split must ha"),
    (
        changed(split={"valid": "x", "test": 0.5}),
        {},
        "impressions.split must h",
    ),
    (changed(split={"valid": 0.5}), {}, "split must be .*{valid: …, test: …}"),
    (
        changed(history={"column": "p", "types": "q", "type_separator": ":"}),
        {},
        "impressions.history must name the types of its events once",
    ),
    (
        changed(history={"column": "p", "max_rejected": -1}),
        {},
        "impressions.history.max_rejected must be a share",
    ),
    (changed(history={"types": "p"}), {}, "impressions.history must be the n"),
]


@pytest.mark.parametrize(("config", "files", "message"), BAD)
def test_what_is_refused(tmp_path, config, files, message):
    with pytest.raises(InputError, match=message) as caught:
        prepare(tmp_path, config, files)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_parquet_has_no_header_to_name(tmp_path):
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "ads.parquet")
    config = changed("ads", file="ads.parquet", columns=["id", "name"])
    with pytest.raises(InputError, match="columns can be said of text only"):
        prepare(tmp_path, config)
    config = changed("ads", file="ads.parquet", encoding="utf-8")
    with pytest.raises(InputError, match="encoding can be said of text only"):
        prepare(tmp_path, config)
