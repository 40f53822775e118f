import json
import pathlib
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data import sources
from tfadrec.data.columns import with_decimal_points
from tfadrec.data.intake import limits
from tfadrec.data.open_dataset import open_dataset

ADS = (
    "id,name,text,topics,brand,price\n"
    'a,"Shoes, red",Run.,sport|run,X,9.5\n'
    "b,,,,,\n"
    "c,Hat,Sun.,,Y,free\n"
)
EVENTS = "who\twhat\thow\twhen\nu1\ta\tview\t90\nu1\tb\tbuy\t100\n"
LOG = (
    "user,ad,when,click,buy,slot,past,part,hour,device\n"
    "u1,a,2020-01-01,1,0,0,b|a,train,7,phone\n"
    "u2,b,2020-01-02,0,0,1,,test,,\n"
)
CONFIG = {
    "name": "shop",
    "ads": {
        "file": "ads.csv",
        "max_rejected": 0.5,
        "ad_id": "id",
        "title": "name",
        "description": "text",
        "tags": {"column": "topics", "separator": "|"},
        "categorical": ["brand"],
        "numeric": ["price"],
    },
    "events": {
        "file": "events.tsv",
        "max_rejected": 0.5,
        "user_id": "who",
        "ad_id": "what",
        "event_type": "how",
        "timestamp": {"column": "when", "unit": "s"},
        "skipped": False,
    },
    "impressions": {
        "file": "log.csv",
        "max_rejected": 0.5,
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "when",
        "clicked": "click",
        "converted": "buy",
        "position": "slot",
        "split": "part",
        "categorical": {"device_kind": "device"},
        "numeric": ["hour"],
    },
}
#: The fewest columns that a log can have.
SHORT_LOG = "user,ad,when,click\nu,a1,9,0\n"
HISTORY = {"column": "past", "separator": "|", "max_rejected": 0.5}
NEW_YEAR = 1_577_836_800


def prepare(tmp_path, config=CONFIG, **files):
    texts = {"ads.csv": ADS, "events.tsv": EVENTS, "log.csv": LOG}
    texts |= {name.replace("_", "."): text for name, text in files.items()}
    for name, data in texts.items():
        if data is not None:
            data = data.encode() if isinstance(data, str) else data
            (tmp_path / name).write_bytes(data)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return sources.prepare_table(path, tmp_path / "out")


def changed(section, **values):
    return {**CONFIG, section: {**CONFIG[section], **values}}


def prepare_ads(tmp_path, file, **ads):
    """A catalogue in a file that is there, and the shortest log."""
    (tmp_path / "log.csv").write_text(SHORT_LOG)
    config = {
        "ads": {"file": file, "ad_id": "id", **ads},
        "impressions": {
            "file": "log.csv",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "when",
            "clicked": "click",
        },
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return sources.prepare_table(path, tmp_path / "out")


def read(tmp_path, name):
    return pq.read_table(tmp_path / "out" / f"{name}.parquet").to_pylist()


def counts(summary):
    for count in summary.counts:
        assert count.read == count.kept + count.rejected
    return {c.unit: (c.read, c.kept, c.rejected) for c in summary.counts}


def test_every_column(tmp_path):
    summary = prepare(tmp_path)
    assert read(tmp_path, "ads") == [
        {
            "ad_id": i,
            "title": t,
            "description": d,
            "tags": g,
            "brand": b,
            "price": p,
        }
        for i, t, d, g, b, p in (
            ("a", "Shoes, red", "Run.", ["sport", "run"], "X", 9.5),
            ("b", "", "", [], None, None),
            ("c", "Hat", "Sun.", [], "Y", None),
        )
    ]
    assert read(tmp_path, "events") == [
        {"user_id": "u1", "ad_id": i, "event_type": e, "timestamp": t}
        for i, e, t in (("a", "view", 90), ("b", "buy", 100))
    ]
    day = 86400
    assert read(tmp_path, "impressions") == [
        {
            "request_id": f"u1-{NEW_YEAR}",
            "user_id": "u1",
            "ad_id": "a",
            "timestamp": NEW_YEAR,
            "clicked": 1,
            "converted": 0,
            "position": "0",
            "split": "train",
            "device_kind": "phone",
            "hour": 7.0,
        },
        {
            "request_id": f"u2-{NEW_YEAR + day}",
            "user_id": "u2",
            "ad_id": "b",
            "timestamp": NEW_YEAR + day,
            "clicked": 0,
            "converted": 0,
            "position": "1",
            "split": "test",
            "device_kind": None,
            "hour": None,
        },
    ]
    assert counts(summary) == {
        "ads": (3, 3, 0),
        "events": (2, 2, 0),
        "impressions": (2, 2, 0),
    }
    assert summary.notes == (
        "ads.csv: 1 of 2 values of price are no numbers, or beyond "
        "±1e100, and count as missing, "
        "such as 'free' in line 4",
        "1 ads have neither title nor description; they are known by their "
        "other columns",
        "converted is 0 in all 2 rows, so nothing can be learned of it; check "
        "its column, conditions on it, and `where`",
    )
    schema = Schema.from_json((tmp_path / "out" / "schema.json").read_text())
    assert schema.source == "shop"
    assert schema.event_types == ("buy", "view")
    assert schema.labels == ("clicked", "converted")
    assert [(f.entity, f.name, f.vocabulary) for f in schema.features] == [
        ("ad", "brand", ("X", "Y")),
        ("context", "device_kind", ("phone",)),
        ("context", "hour", ()),
        ("candidate", "position", ("0", "1")),
        ("ad", "price", ()),
    ]
    assert len(open_dataset(tmp_path / "out")) == 2


def test_without_options(tmp_path):
    config = {
        "ads": {"file": "ads.csv", "ad_id": "id"},
        "impressions": {
            key: CONFIG["impressions"][key]
            for key in ("file", "user_id", "ad_id", "timestamp", "clicked")
        },
    }
    prepare(tmp_path, config)
    assert read(tmp_path, "ads")[0] == {
        "ad_id": "a",
        "title": "",
        "description": "",
        "tags": [],
    }
    assert read(tmp_path, "events") == []
    assert len(open_dataset(tmp_path / "out")) == 2


BAD_ADS = [
    (b"a,again,,,,\n", "ad id repeats an earlier one"),
    (b",no id,,,,\n", "id is missing"),
    (b"d,\xff,,,,\n", "not UTF-8"),
    (b"d,short\n", "2 fields instead of 6"),
]
BAD_EVENTS = [
    (b"u1\tz\tview\t5\n", "ad id is not in the catalogue"),
    (b"\ta\tview\t5\n", "who is missing"),
    (b"u1\ta\t\t5\n", "how is missing"),
    (b"u1\ta\tview\tnow\n", "when is no time that can be read"),
    (b"u1\ta\tview\t-5\n", "when is not in seconds from 1970 to 9999"),
    (b"u1\ta\tview\n", "3 fields instead of 4"),
]
BAD_IMPRESSIONS = [
    (b"u,z,5,1,0,0,,train,,\n", "ad id is not in the catalogue"),
    (b",a,5,1,0,0,,train,,\n", "user is missing"),
    (b"u,,5,1,0,0,,train,,\n", "ad is missing"),
    (b"u,a,,1,0,0,,train,,\n", "when is no time that can be read"),
    (b"u,a,5,2,0,0,,train,,\n", "click is not 0 or 1"),
    (b"u,a,5,,0,0,,train,,\n", "click has no label"),
    (b"u,a,5,1,x,0,,train,,\n", "buy is not 0 or 1"),
    (b"u,a,5,1,0,-1,,train,,\n", "slot is no integer from 0 on"),
    (b"u,a,5,1,0,0,,dev,,\n", "part is not train, valid or test"),
    (b"u,a,5,1,0,0,,train,,\xc3\n", "not UTF-8"),
    (b"u,a,5\n", "3 fields instead of 10"),
]


@pytest.mark.parametrize(
    ("unit", "file", "good", "line", "reason"),
    [("ads", "ads_csv", ADS, *case) for case in BAD_ADS]
    + [("events", "events_tsv", EVENTS, *case) for case in BAD_EVENTS]
    + [("impressions", "log_csv", LOG, *case) for case in BAD_IMPRESSIONS],
)
def test_refused_rows(tmp_path, unit, file, good, line, reason):
    summary = prepare(tmp_path, **{file: good.encode() + line})
    read_rows = good.count("\n")
    assert counts(summary)[unit] == (read_rows, read_rows - 1, 1)
    (reject,) = read(tmp_path, "rejects")
    assert (reject["source"], reject["line"], reject["reason"]) == (
        file.replace("_", "."),
        read_rows + 1,
        reason,
    )


@pytest.mark.parametrize(
    ("config", "files", "message"),
    [
        (CONFIG, {"ads_csv": None}, "a file of ads must exist. Received: ads"),
        (CONFIG, {"log_csv": ""}, "a file of impressions must hold rows"),
        (
            changed("impressions", clicked="label"),
            {},
            "log.csv must have the column 'label'. Received: user, ad",
        ),
        (
            CONFIG,
            {"log_csv": LOG.replace(",1,0,0,", ",ja,0,0,").split("u2")[0]},
            r"all refused; line 2: click is not 0 or 1 \(.* ja 0 0 .*\). Say "
            r"which values are: {column: …, positive: \[yes\], negative: ",
        ),
        (
            {**CONFIG, "ad_id_type": "int64"},
            {},
            "ads.csv must hold ads that can be read. Received: 3 rows, all "
            "refused; line 2: id is no integer",
        ),
    ],
)
def test_unusable_files(tmp_path, config, files, message):
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, config, **files)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("values", "positive", "negative", "clicked"),
    [
        (["ja", "nein", "ja"], "ja", "nein", [1, 0, 1]),
        (["yes", "No", "on"], True, False, [1, 0, 1]),
        (["1", "", "1.0"], 1, "", [1, 0, 1]),
        (["1", "-1", "-1"], 1, -1, [1, 0, 0]),
        (["4,5", "3", "1,5"], ">=4", "<4", [1, 0, 0]),
        (["buy", "view", "x"], ["buy"], {"not": "buy"}, [1, 0, 0]),
    ],
)
def test_labels_whose_values_are_told(
    tmp_path, values, positive, negative, clicked
):
    rows = "".join(f"u;a;{at};{v}\n" for at, v in enumerate(values, 1))
    told = {"column": "click", "positive": positive, "negative": negative}
    prepare(
        tmp_path,
        {
            "ads": CONFIG["ads"],
            "impressions": {
                "file": "log.csv",
                "delimiter": ";",
                "decimal": ",",
                "user_id": "user",
                "ad_id": "ad",
                "timestamp": "when",
                "clicked": told,
                "labels": {"again": {**told, "type": "binary"}},
            },
        },
        log_csv=f"user;ad;when;click\n{rows}",
    )
    found = read(tmp_path, "impressions")
    assert [row["clicked"] for row in found] == clicked
    assert [row["again"] for row in found] == clicked


def test_values_that_no_side_names_are_refused(tmp_path):
    config = changed(
        "impressions",
        clicked={
            "column": "click",
            "positive": "ja",
            "negative": ["nein", "x"],
        },
    )
    log = LOG.replace(",1,0,0,", ",ja,0,0,")
    head, first = log.splitlines(keepends=True)[:2]
    more = [
        first.replace(",ja,", f",{value},") for value in ("Ja", "x", "nein", "")
    ]
    config["impressions"]["max_rejected"] = 1.0
    prepare(tmp_path, config, log_csv=head + first + "".join(more))
    assert [row["clicked"] for row in read(tmp_path, "impressions")] == [
        1,
        0,
        0,
    ]
    assert [r["reason"] for r in read(tmp_path, "rejects")] == [
        "click is neither positive nor negative"
    ] * 2


def test_histories_of_text(tmp_path):
    log = LOG.replace("b|a", "b|zz|a|b")
    config = changed("impressions", history=HISTORY)
    summary = prepare(tmp_path, config, log_csv=log)
    assert read(tmp_path, "histories") == [
        {"ads": ["b", "a", "b"]},
        {"ads": []},
    ]
    assert [r["history"] for r in read(tmp_path, "impressions")] == [0, 1]
    assert counts(summary)["history entries"] == (4, 3, 1)
    (reject,) = read(tmp_path, "rejects")
    assert (reject["line"], reject["row"]) == (2, "zz")
    dataset = open_dataset(tmp_path / "out")
    assert dataset.impressions.history_lengths.tolist() == [3, 0]


def test_histories_of_a_refused_row_are_not_read(tmp_path):
    log = LOG + "u,a,5,9,0,0,b|zz,train,,\n"
    config = changed("impressions", history=HISTORY)
    summary = prepare(tmp_path, config, log_csv=log)
    assert counts(summary)["history entries"] == (2, 2, 0)
    assert counts(summary)["impressions"] == (3, 2, 1)


def test_parquet_with_integer_ids_and_list_histories(tmp_path):
    ads = pa.table({"id": [7, 8]})
    log = pa.table(
        {
            "user": [1, 2],
            "ad": [8, 7],
            "when": pa.array([10**9, 2 * 10**9], pa.timestamp("ns")),
            "click": [True, False],
            "past": [[7, 8, 9], None],
        }
    )
    for name, table in (("ads", ads), ("log", log)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    config = {
        "user_id_type": "int64",
        "ad_id_type": "int64",
        "ads": {"file": "ads.parquet", "ad_id": "id"},
        "impressions": {
            "file": "log.parquet",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "when",
            "clicked": "click",
            "history": {"column": "past", "max_rejected": 0.5},
        },
    }
    prepare(tmp_path, config)
    assert read(tmp_path, "histories") == [{"ads": [7, 8]}, {"ads": []}]
    assert read(tmp_path, "impressions")[0] == {
        "request_id": "1-1",
        "user_id": 1,
        "ad_id": 8,
        "timestamp": 1,
        "clicked": 1,
        "history": 0,
    }


def test_an_ad_is_not_called_as_none(tmp_path):
    """-1 fills up requests and answers, as "" does where ids are texts."""
    config = {
        "ad_id_type": "int64",
        "ads": {"file": "ads.csv", "ad_id": "id", "max_rejected": 0.5},
        "impressions": {
            "file": "log.csv",
            "max_rejected": 0.5,
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "when",
            "clicked": "click",
        },
    }
    log = "user,ad,when,click\nu,-1,9,0\nu,-2,9,0\nu,0,9,1\n"
    prepare(tmp_path, config, ads_csv="id\n-2\n-1\n0\n", log_csv=log)
    assert [ad["ad_id"] for ad in read(tmp_path, "ads")] == [-2, 0]
    assert [row["ad_id"] for row in read(tmp_path, "impressions")] == [-2, 0]
    assert [row["reason"] for row in read(tmp_path, "rejects")] == [
        "id is -1, which stands for no ad",
        "ad id is not in the catalogue",
    ]


def test_a_catalogue_read_off_the_log(tmp_path):
    config = {
        "name": "sales",
        "ads": {
            "file": "sales.csv",
            "deduplicate": True,
            "ad_id": "item",
            "title": "what",
        },
        "events": {
            "file": "sales.csv",
            "max_rejected": 0.25,
            "user_id": "who",
            "ad_id": "item",
            "timestamp": "when",
            "event_type": {"constant": "purchase"},
        },
        "impressions": {
            "file": "sales.csv",
            "max_rejected": 0.25,
            "user_id": "who",
            "ad_id": "item",
            "timestamp": "when",
            "request_id": "bill",
        },
        "sampling": {"negatives_per_positive": 1, "strategy": "uniform"},
    }
    sales = (
        "bill,who,item,what,when\n"
        "1,u,a,Apple,10\n"
        "1,u,b,Pear,10\n"
        "2,v,a,Golden apple,20\n"
        "2,v,c,Plum,soon\n"
    )
    summary = prepare(tmp_path, config, sales_csv=sales)
    titles = {ad["ad_id"]: ad["title"] for ad in read(tmp_path, "ads")}
    assert titles == {"a": "Apple", "b": "Pear", "c": "Plum"}
    assert counts(summary) == {
        "ad rows": (4, 4, 0),
        "events": (4, 3, 1),
        "impressions": (4, 3, 1),
    }
    assert summary.notes[0] == (
        "sales.csv: 4 ad rows describe 3 ads; the first value of each column "
        "is used (rows disagree on title of 1)"
    )
    assert {e["event_type"] for e in read(tmp_path, "events")} == {"purchase"}
    impressions = read(tmp_path, "impressions")
    bought = {
        (row["request_id"], row["ad_id"])
        for row in impressions
        if row["clicked"] and row["converted"]
    }
    assert bought == {("1", "a"), ("1", "b"), ("2", "a")}
    # Plum was never bought. Request 1 has no other ad left to draw, request 2
    # has one.
    requests = sorted(row["request_id"] for row in impressions)
    assert requests == ["1", "1", "2", "2"]


def test_a_sample_that_leaks_is_noted(tmp_path):
    # Ad n is bought once on each of the ten days from day n on.
    log = "user,ad,when\n" + "".join(
        f"u{n},{n // 10},{(n // 10 + n % 10) * 86_400 + n}\n"
        for n in range(1000)
    )
    config = {
        "ads": {"file": "log.csv", "deduplicate": True, "ad_id": "ad"},
        "impressions": {
            "file": "log.csv",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "when",
        },
        "sampling": {"negatives_per_positive": 1, "period": "all"},
    }
    summary = prepare(tmp_path, config, log_csv=log)
    (line,) = (n for n in summary.lines() if "counts of an ad" in n)
    assert line.startswith("  note: counts of an ad tell bought ads from")


def test_labels_that_tell_backwards_are_noted(tmp_path):
    config = {
        "ads": {"file": "log.csv", "deduplicate": True, "ad_id": "ad"},
        "impressions": {
            "file": "log.csv",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "when",
            "clicked": "click",
        },
    }
    # Ad a is clicked in the first 800 rows, ad b in the rest.
    log = "user,ad,when,click\n" + "".join(
        f"u,{'ab'[n % 2]},{n},{int((n % 2 == 0) == (n < 800))}\n"
        for n in range(1000)
    )
    summary = prepare(tmp_path, config, log_csv=log)
    (note,) = (n for n in summary.notes if "ads that were clicked often" in n)
    assert "AUC of click rate in the training part .000; .5 tells" in note


ROOT = pathlib.Path(__file__).parents[3]
RETAIL = ROOT.parent / "shared" / "data" / "online_retail.parquet"


@pytest.mark.slow
@pytest.mark.skipif(not RETAIL.exists(), reason="needs Online Retail")
def test_the_example_reads_online_retail(tmp_path):
    shutil.copy(ROOT / "examples" / "online_retail.yaml", tmp_path)
    shutil.copy(RETAIL, tmp_path)
    summary = sources.prepare_table(
        tmp_path / "online_retail.yaml", tmp_path / "out"
    )
    assert all(count.rejected == 0 for count in summary.counts)
    assert (summary.sizes["ads"], summary.sizes["users"]) == (3665, 4339)
    assert summary.sizes["events"] == 397_924
    assert summary.sizes["clicked"] == summary.sizes["converted"] == 387_875
    assert not any("counts of an ad" in note for note in summary.notes)


def test_quotes_that_are_plain_characters(tmp_path):
    stray = ADS.replace('"Shoes, red"', '"Best shoes')
    with pytest.raises(InputError, match=r"ads.csv must .* in line 2\. "):
        prepare(tmp_path, ads_csv=stray)
    plain = {**CONFIG, "ads": {**CONFIG["ads"], "quoting": False}}
    prepare(tmp_path, plain, ads_csv=stray)
    ads = pq.read_table(tmp_path / "out" / "ads.parquet")
    assert ads["title"].to_pylist() == ['"Best shoes', "", "Hat"]
    plain["ads"]["quoting"] = "none"
    with pytest.raises(InputError, match=r"ads.quoting must be true or false"):
        prepare(tmp_path, plain)


def test_numbers_with_a_decimal_comma(tmp_path):
    commas = 'id,name,text,topics,brand,price\na,"A, 1",,,,"0,13"\nb,,,,,\n'
    with pytest.raises(InputError) as error:
        prepare(tmp_path, ads_csv=commas)
    assert (
        "ads.csv: the ad's 'price': a number must have values that can be "
        "read. Received: 1 values of price, none of which can, such as '0,13' "
        "in line 2."
    ) in str(error.value)
    assert '`decimal: ","`' in str(error.value)
    config = {**CONFIG, "ads": {**CONFIG["ads"], "decimal": ","}}
    prepare(tmp_path, config, ads_csv=commas)
    ads = pq.read_table(tmp_path / "out" / "ads.parquet")
    assert ads["price"].to_pylist() == [0.13, None]
    assert ads["title"].to_pylist() == ["A, 1", ""]
    config["ads"]["decimal"] = ";"
    with pytest.raises(InputError, match=r"ads.decimal must be"):
        prepare(tmp_path, config)


@pytest.mark.parametrize("rows", [1, 100])
def test_points_beside_a_decimal_comma_are_noted(tmp_path, rows, monkeypatch):
    """12.5 says that 1.234 may have decimals too, also batches apart."""
    monkeypatch.setattr(limits, "BATCH_ROWS", rows)
    config = {**CONFIG, "ads": {**CONFIG["ads"], "decimal": ","}}
    config["ads"]["deduplicate"] = True

    def notes(*prices):
        lines = [
            f'{i},A,,,x,"{p}"' for i, p in zip("abc", prices, strict=False)
        ]
        text = ADS.splitlines()[0] + "\n" + "\n".join(lines) + "\n"
        found = prepare(tmp_path, config, ads_csv=text).notes
        return [n for n in found if "decimal" in n]

    assert notes("1.234", "7,5", "0.125") == [
        'ads.csv: price has 1.234 in line 2, which `decimal: ","` reads as '
        "1234, and 0.125 in line 4, where a point stands before decimals. "
        "Write all of them alike, or leave `decimal` out where points are "
        "meant so"
    ]
    assert notes("1.234", "7,5", "1.234,5") == notes("12.5", "0.125") == []


COMMAS = """\
ads: {file: ads.csv, ad_id: id, delimiter: ";", decimal: ",", WHERE
  features: {price: number, label: {kind: category, column: price}}}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: when,
  clicked: click}
"""


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("{not: 0.5}", "bcd"),
        ("1234", "b"),
        ('"1.234"', "b"),
        ('"1234"', ""),
        ('"0,5"', "a"),
        ('">=7"', "bcd"),
    ],
)
def test_who_else_reads_a_column_changes_no_condition(tmp_path, where, kept):
    """A number compares as one, a text with what stands in the file."""
    (tmp_path / "ads.csv").write_text("id;price\na;0,5\nb;1.234\nc;7\nd;9,0\n")
    (tmp_path / "log.csv").write_text(
        "user,ad,when,click\n"
        + "".join(f"u,{ad},9{ad.encode()[0]},0\n" for ad in kept or "a")
    )
    config = tmp_path / "config.yaml"
    found = []
    for features in (True, False):
        text = COMMAS.replace("WHERE", f"where: {{price: {where}}},")
        if not features:
            text = text.replace("price: number, ", "")
        config.write_text(text)
        if not kept:
            with pytest.raises(InputError, match="none of which meets it"):
                sources.prepare_table(config, tmp_path / "out")
            continue
        sources.prepare_table(config, tmp_path / "out")
        found.append(pq.read_table(tmp_path / "out" / "ads.parquet"))
    for ads in found:
        assert "".join(ads["ad_id"].to_pylist()) == kept
        # A category is what stands in the file as well.
        written = {"a": "0,5", "b": "1.234", "c": "7", "d": "9,0"}
        assert ads["label"].to_pylist() == [written[ad] for ad in kept]


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_numbers_of_json_are_read_by_no_decimal_comma(
    tmp_path, rows, monkeypatch
):
    """Whatever texts stand beside them, which alone may be doubted."""
    monkeypatch.setattr(limits, "BATCH_ROWS", rows)
    values = [1.234, "1.234", "2,5", 12.5, 3, True, None, 0.5]
    (tmp_path / "ads.jsonl").write_text(
        "\n".join(
            json.dumps({"id": f"a{i}", "price": value, "where": i % 2})
            for i, value in enumerate(values)
        )
    )
    # Also where rows are left out before.
    for where, left in ((None, slice(None)), ({"where": 1}, slice(1, None, 2))):
        summary = prepare_ads(
            tmp_path,
            "ads.jsonl",
            decimal=",",
            deduplicate=True,
            features={"price": "number"},
            where=where,
        )
        ads = pq.read_table(tmp_path / "out" / "ads.parquet")
        expected = [1.234, 1234.0, 2.5, 12.5, 3.0, 1.0, None, 0.5]
        assert ads["price"].to_pylist() == expected[left]
        assert not any("decimal" in note for note in summary.notes)


@pytest.mark.parametrize("settings", [{}, {"weighted": True}])
def test_what_is_no_number_in_a_map_of_json_is_left_out(tmp_path, settings):
    """And the other rows of its column stay maps."""
    given = ['{"x": 0.5}', '{"x": null, "y": 1}', '{"y": NaN}', '{"y": true}']
    given += ['{"y": 1e16}', "{}", "null"]
    lines = [f'{{"id": "a{i}", "f": {text}}}' for i, text in enumerate(given)]
    (tmp_path / "ads.jsonl").write_text("\n".join(lines))
    feature = {"kind": "categories", **settings}
    summary = prepare_ads(tmp_path, "ads.jsonl", features={"f": feature})
    ads = pq.read_table(tmp_path / "out" / "ads.parquet")
    expected = [[("x", 0.5)], [("y", 1.0)], [], [], [("y", 1e16)], [], []]
    assert ads["f"].to_pylist() == expected
    (note,) = [n for n in summary.notes if "no `key:number`" in n]
    assert "3 " in note


@pytest.mark.parametrize("name", ["ads.jsonl", "ads.csv"])
def test_maps_among_other_categories_are_left_out_and_told(tmp_path, name):
    """As what they are meant is a setting's to say."""
    values = [["p", "{q"], {"x": 1}, "r", {}]
    ids = ["a1", "a2", "a3", "a4"]
    lines = [
        json.dumps({"id": ad, "f": value})
        for ad, value in zip(ids, values, strict=True)
    ]
    if name == "ads.csv":
        texts = [v if isinstance(v, str) else json.dumps(v) for v in values]
        rows = zip(["id", *ids], ["f", *texts], strict=True)
        lines = ["\t".join(row) for row in rows]
    (tmp_path / name).write_text("\n".join(lines))
    written = {}
    if name == "ads.csv":
        written = {"delimiter": "\t", "quoting": False}
    feature = {"kind": "categories", "weighted": False}
    summary = prepare_ads(tmp_path, name, features={"f": feature}, **written)
    ads = pq.read_table(tmp_path / "out" / "ads.parquet")
    assert ads["f"].to_pylist() == [["p", "{q"], [], ["r"], []]
    (note,) = [n for n in summary.notes if "`weighted: true`" in n]
    assert "1 of 3 values of f" in note
    assert "such as '{\"x\": 1}' in line" in note
    feature["weighted"] = True
    prepare_ads(tmp_path, name, features={"f": feature}, **written)
    ads = pq.read_table(tmp_path / "out" / "ads.parquet")
    assert ads["f"].to_pylist() == [[], [("x", 1.0)], [], []]


def test_maps_without_numbers_are_no_categories(tmp_path):
    (tmp_path / "ads.jsonl").write_text('{"id": "a1", "f": {"os": "ios"}}')
    with pytest.raises(InputError, match="say `weighted: true`, or"):
        prepare_ads(tmp_path, "ads.jsonl", features={"f": "categories"})
    prepare_ads(tmp_path, "ads.jsonl", features={"f": "category"})
    ads = pq.read_table(tmp_path / "out" / "ads.parquet")
    assert ads["f"].to_pylist() == ['{"os": "ios"}']


@pytest.mark.parametrize("name", ["ads.jsonl", "ads.parquet"])
def test_keys_of_a_column_of_maps(tmp_path, name):
    values = [{"x": 0.5, "y": 2.0}, None, {"x": 1.0}]
    ids = ["a1", "a2", "a3"]
    if name == "ads.jsonl":
        lines = [
            json.dumps({"id": ad, "f": value})
            for ad, value in zip(ids, values, strict=True)
        ]
        (tmp_path / name).write_text("\n".join(lines))
    else:
        maps = [value and list(value.items()) for value in values]
        column = pa.array(maps, pa.map_(pa.string(), pa.float64()))
        pq.write_table(pa.table({"id": ids, "f": column}), tmp_path / name)
    feature = {"kind": "categories", "weighted": False}
    summary = prepare_ads(tmp_path, name, features={"f": feature})
    ads = pq.read_table(tmp_path / "out" / "ads.parquet")
    assert ads["f"].to_pylist() == [["x", "y"], [], ["x"]]
    assert not any("weighted" in note for note in summary.notes)
    (found,) = open_dataset(tmp_path / "out").schema.of("ad")
    assert (found.vocabulary, found.weighted) == (("x", "y"), False)


@pytest.mark.parametrize("name", ["ads.csv", "ads.jsonl", "ads.parquet"])
def test_a_vector_with_a_missing_number_in_files_of_any_type(tmp_path, name):
    """What is left of it would be another vector."""
    values = [[None, 1, 2], [3, 4], [5, 6]]
    ids = ["a1", "a2", "a3"]
    if name == "ads.parquet":
        pq.write_table(pa.table({"id": ids, "v": values}), tmp_path / name)
    else:
        rows = [{"id": i, "v": v} for i, v in zip(ids, values, strict=True)]
        lines = [json.dumps(row) for row in rows]
        if name == "ads.csv":
            lines = ["id,v", *(f'{r["id"]},"{r["v"]}"' for r in rows)]
        (tmp_path / name).write_text("\n".join(lines))
    summary = prepare_ads(tmp_path, name, features={"v": "vector"})
    ads = pq.read_table(tmp_path / "out" / "ads.parquet")
    assert ads["v"].to_pylist() == [None, [3, 4], [5, 6]]
    (note,) = [n for n in summary.notes if "no vectors of the column" in n]
    assert "1 of 3 values of v" in note


def test_a_decimal_comma_is_thought_of_where_there_is_one(tmp_path):
    """Not of texts, nor of numbers of another type, nor once it is said."""
    (tmp_path / "ads.csv").write_text('id,price\na1,"free"\n')
    features = {"price": "number"}
    with pytest.raises(InputError) as error:
        prepare_ads(tmp_path, "ads.csv", features=features)
    assert "decimal" not in str(error.value)
    table = pa.table({"id": ["a1"], "price": [pa.scalar(1e200)]})
    pq.write_table(table, tmp_path / "ads.parquet")
    with pytest.raises(InputError) as error:
        prepare_ads(tmp_path, "ads.parquet", features=features)
    assert "decimal" not in str(error.value)
    labels = {"paid": {"column": "slot", "type": "real"}}
    for slot, decimal, told in (
        ("'0,5'", ".", True),
        ("free", ".", False),
        ("", ".", False),
        ("'1,2,3'", ".", False),
        ("'0,5 EUR'", ",", False),
    ):
        log = LOG.replace(",0,b|a", f",{slot},b|a").replace("'", '"')
        config = changed("impressions", labels=labels, decimal=decimal)
        del config["impressions"]["position"]
        config["impressions"]["max_rejected"] = 0.1
        with pytest.raises(InputError, match="no number within") as error:
            prepare(tmp_path, config, log_csv=log)
        assert ("`decimal" in str(error.value)) == told, slot


def test_a_label_called_as_a_count_hides_none(tmp_path):
    labels = {"ads": {"column": "slot", "type": "real"}}
    config = changed("impressions", labels=labels)
    del config["impressions"]["position"]
    sizes = prepare(tmp_path, config).sizes
    rows = open_dataset(tmp_path / "out").impressions.labels["ads"]
    assert sizes["label ads"] == (rows > 0).sum() > 0
    assert sizes["ads"] == len(open_dataset(tmp_path / "out").catalogue)


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_lines_of_counts_that_come_again_are_told(tmp_path, rows, monkeypatch):
    """A file that was put together twice has twice the clicks."""
    monkeypatch.setattr(limits, "BATCH_ROWS", rows)
    lines = ["u1,a,90,10,2,x", "u1,b,90,10,2,x", "u2,a,90,7,0,y"]
    # Another place is another line, and so is another count.
    lines += ["u1,a,90,10,2,z", "u2,a,90,7,1,y"]
    config = {
        "ads": {"file": "ads.csv", "ad_id": "id"},
        "impressions": {
            "file": "log.csv",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": {"column": "when", "unit": "s"},
            "counts": {"impressions": "shown", "clicks": "clicked"},
            "candidate_features": {"place": "category"},
        },
    }

    def notes(*lines):
        log = "\n".join(["user,ad,when,shown,clicked,place", *lines])
        summary = prepare(tmp_path, config, log_csv=log)
        return [n for n in summary.notes if "as an earlier one" in n]

    assert notes(*lines) == []
    # Two rows of the first line, and one of the third: nobody clicked there.
    assert notes(*lines, lines[2], lines[0]) == [
        "3 of 12 rows with weights are as an earlier one in all that is read "
        "of them, and count as well; if the log has lines twice, remove them"
    ]


def test_a_piece_of_a_log_is_not_judged_as_a_whole(tmp_path):
    """It joins others: their histories, times, classes and ranges."""
    (tmp_path / "piece.csv").write_text(LOG.replace(",1,0,0,", ",0,0,0,"))
    config = changed("impressions", split=None)
    config["impressions"]["timestamp"] = {"constant": "2020-01-01"}
    config["events"] = {**CONFIG["events"], "file": "late.tsv"}
    late = EVENTS.replace("90", "1900000000").replace("100", "1900000001")
    del config["impressions"]["split"]
    whole = prepare(tmp_path, config, late_tsv=late, piece_csv=None)
    assert len(whole.notes) > 0
    path = tmp_path / "config.yaml"
    piece = sources.prepare_table(
        path, tmp_path / "day", log=tmp_path / "piece.csv"
    )
    about_all = ("one time", "no impression has", "in all ")
    for text in about_all:
        assert any(text in note for note in whole.notes), text
        assert not any(text in note for note in piece.notes), text
    # What could not be read is told of either.
    assert any("'free' in line 4" in note for note in piece.notes)


@pytest.mark.parametrize("id_type", ["string", "int64"])
def test_an_id_is_one_in_files_of_any_type(tmp_path, id_type):
    """As an integer, and as the float that a gap makes of it."""
    ids = [10**16, 2**53 + 2, 2**62]
    (tmp_path / "ads.csv").write_text("id\n" + "\n".join(map(str, ids)))
    rows = {
        "ad": pa.array([*map(float, ids), None]),
        "user": [1.0, 1e17, 2.0, 2.0],
        "when": [1, 2, 3, 4],
        "click": [0, 1, 0, 1],
    }
    pq.write_table(pa.table(rows), tmp_path / "log.parquet")
    config = {
        "user_id_type": id_type,
        "ad_id_type": id_type,
        "ads": {"file": "ads.csv", "ad_id": "id"},
        "impressions": {
            "file": "log.parquet",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "when",
            "clicked": "click",
            "max_rejected": 0.25,
            "features": {"u": {"kind": "category", "column": "user"}},
        },
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    sources.prepare_table(path, tmp_path / "out")
    found = read(tmp_path, "impressions")
    make = str if id_type == "string" else int
    assert [row["ad_id"] for row in found] == list(map(make, ids))
    assert [row["user_id"] for row in found] == [
        make(1),
        make(10**17),
        make(2),
    ]
    assert [row["u"] for row in found] == ["1", str(10**17), "2"]


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_contexts_that_differ_within_a_request_are_counted(
    tmp_path, rows, monkeypatch
):
    """However many rows are read or written at a time."""
    monkeypatch.setattr(limits, "BATCH_ROWS", rows)
    monkeypatch.setattr(limits, "PART_BYTES", 100 * rows)
    lines = [
        f"r{i % 4},u{i % 4},a,{90 + i % 4},{i % 2},{hour},{slot}"
        for i, (hour, slot) in enumerate(
            [(1, 0)] * 4 + [(1, 1)] * 3 + [(2, 1)] + [("", 2)] * 2
        )
    ]
    summary = prepare(
        tmp_path,
        {
            "ads": {"file": "ads.csv", "ad_id": "id"},
            "impressions": {
                "file": "log.csv",
                "request_id": "request",
                "user_id": "user",
                "ad_id": "ad",
                "timestamp": {"column": "when", "unit": "s"},
                "clicked": "click",
                "position": "slot",
                "numeric": ["hour"],
                "categorical": {"place": "request"},
            },
        },
        log_csv="\n".join(["request,user,ad,when,click,hour,slot", *lines]),
    )
    (note,) = [n for n in summary.notes if "first of their request" in n]
    assert note == (
        "the context's 'hour' is another in 3 rows than in the first of their "
        "request, so requests cannot be learned as a whole; make it a "
        "candidate feature for that"
    )
    with pytest.raises(InputError, match="Received: 3 rows where 'hour'"):
        open_dataset(tmp_path / "out").slates()


def test_decimal_points():
    texts = ["0,13", "-1.234,5", "1.234.567", "1.5", "1,2,3", "a, b", "", None]
    texts += ["0.125", "-00.125", "12.345", "0.125,5"]
    found = with_decimal_points(pa.chunked_array([texts]))
    assert found.to_pylist() == [
        "0.13",
        "-1234.5",
        "1234567",
        "1.5",
        "1,2,3",
        "a, b",
        "",
        None,
        "0.125",
        "-00.125",
        "12345",
        "0.125,5",
    ]
    whole = pa.chunked_array([[1, 2]])
    assert with_decimal_points(whole) is whole


def test_a_header_in_another_encoding(tmp_path):
    """It is not the name of the column that is wrong."""
    log = LOG.replace("user", "käufer").encode("latin-1")
    config = changed("impressions", user_id="käufer")
    with pytest.raises(InputError) as error:
        prepare(tmp_path, config, log_csv=log)
    said = str(error.value)
    assert "log.csv must have the column 'käufer'. Received: k?ufer, " in said
    assert "give the `encoding` of the file, such as latin-1" in said
