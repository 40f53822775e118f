"""Features of all entities, labels, weights and counts, from files."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.processes import run
from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset

FILES = {
    "ads.csv": "id,brand,class,price,topics,vector\n"
    "a,X,shoes,9.5,run|sun,1 0\n"
    "b,Y,hats,1,000,sun,0 1\n".replace("1,000", "1000")
    + "c,,hats,free,,1 1 1\n",
    "users.csv": "who,age,brand,clicks\n"
    "u,30,Y,shoes:X:2 hats:Y:1\n"
    "v,old,Z,hats\n"
    "u,99,X,\n",
    "events.csv": "who,what,when,dwell,query\nu,a,5,2.5,sun\nv,b,6,,\n",
    "log.csv": "user,ad,when,click,device,bid,terms,revenue,w\n"
    "u,a,10,1,tv,0.5,run sun,9.99,1\n"
    "u,b,10,0,tv,0.25,run sun,0,0.5\n"
    "x,c,20,0,,,,-1,2\n",
}
CONFIG = {
    "ads": {
        "file": "ads.csv",
        "ad_id": "id",
        "tags": {"column": "topics", "separator": "|"},
        "features": {
            "brand": "category",
            "price": {"kind": "number", "log1p": True},
            "tags": "categories",
            "class_brand": {"kind": "category", "column": ["class", "brand"]},
            "Vektor é": {"kind": "vector", "column": "vector"},
            "class_by_price": {"kind": "cross", "of": ["band", "class_brand"]},
            "band": {"kind": "number", "column": "price", "bounds": [10]},
        },
    },
    "users": {
        "file": "users.csv",
        "max_rejected": 0.5,
        "user_id": "who",
        "features": {
            "age": "number",
            "brand": {"kind": "category", "share": "ad.brand"},
            "clicks": {"kind": "lookup", "of": "class_brand"},
        },
    },
    "events": {
        "file": "events.csv",
        "user_id": "who",
        "ad_id": "what",
        "timestamp": {"column": "when", "unit": "s"},
        "event_type": {"constant": "view"},
        "features": {
            "dwell": "number",
            "query": {"kind": "category", "share": "tags"},
        },
    },
    "impressions": {
        "file": "log.csv",
        "max_rejected": 0.5,
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": {"column": "when", "unit": "s"},
        "clicked": "click",
        "features": {
            "device": {"kind": "category", "buckets": 5},
            "terms": {"kind": "categories", "share": "tags"},
        },
        "candidate_features": {
            "bid": "number",
            "hits": {"kind": "overlap", "of": ["terms", "tags"]},
            "device_by_brand": {
                "kind": "cross",
                "of": ["device", "ad.brand"],
                "buckets": 9,
            },
        },
        "labels": {"revenue": "real"},
        "weight": "w",
        "negatives_kept": 0.1,
    },
}


def prepare(tmp_path, config=CONFIG, **files):
    for name, text in {**FILES, **files}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(config, sort_keys=False)
    )
    return sources.prepare_table(tmp_path / "config.yaml", tmp_path / "out")


def table(tmp_path, name):
    return pq.read_table(tmp_path / "out" / f"{name}.parquet")


def counts(summary):
    for count in summary.counts:
        assert count.read == count.kept + count.rejected
    return {c.unit: (c.read, c.kept, c.rejected) for c in summary.counts}


def changed(section, **values):
    return {**CONFIG, section: {**CONFIG[section], **values}}


def test_features_of_every_entity(tmp_path):
    summary = prepare(tmp_path)
    schema = Schema.from_json((tmp_path / "out" / "schema.json").read_text())
    assert schema.labels == ("clicked", "revenue")
    assert schema.negatives_kept == 0.1
    by_key = {f"{f.entity}.{f.name}": f for f in schema.features}
    tensor = {key: feature.tensor for key, feature in by_key.items()}
    column = {key: feature.column for key, feature in by_key.items()}
    assert set(by_key) == {
        "ad.Vektor é",
        "ad.band",
        "ad.brand",
        "ad.class_brand",
        "ad.class_by_price",
        "ad.price",
        "ad.tags",
        "candidate.bid",
        "candidate.device_by_brand",
        "candidate.hits",
        "context.device",
        "context.terms",
        "event.dwell",
        "event.query",
        "user.age",
        "user.brand",
        "user.clicks",
    }
    # References are followed to the tensors.
    assert by_key["user.brand"].share == tensor["ad.brand"]
    assert by_key["user.clicks"].of == (tensor["ad.class_brand"],)
    assert by_key["candidate.hits"].of == (
        tensor["context.terms"],
        tensor["ad.tags"],
    )
    assert by_key["user.brand"].vocabulary == ("X", "Y")
    assert by_key["event.query"].vocabulary == ("run", "sun")

    ads = table(tmp_path, "ads")
    assert ads[column["ad.brand"]].to_pylist() == ["X", "Y", None]
    assert ads[column["ad.class_brand"]].to_pylist() == [
        "shoes:X",
        "hats:Y",
        None,
    ]
    assert ads[column["ad.tags"]].to_pylist() == [["run", "sun"], ["sun"], []]
    assert ads[column["ad.Vektor é"]].to_pylist() == [[1, 0], [0, 1], None]
    assert "ad.class_by_price" not in ads.column_names
    users = table(tmp_path, "users").to_pylist()
    assert users == [
        {
            "user_id": "u",
            column["user.age"]: 30.0,
            column["user.brand"]: "Y",
            column["user.clicks"]: [("shoes:X", 2.0), ("hats:Y", 1.0)],
        },
        {
            "user_id": "v",
            column["user.age"]: None,
            column["user.brand"]: "Z",
            column["user.clicks"]: [],
        },
    ]
    events = table(tmp_path, "events")
    assert events[column["event.dwell"]].to_pylist() == [2.5, None]
    impressions = table(tmp_path, "impressions")
    assert impressions["revenue"].to_pylist() == [9.99, 0.0, -1.0]
    assert impressions["revenue"].type == pa.float64()
    assert impressions["weight"].to_pylist() == [1.0, 0.5, 2.0]
    assert impressions[column["candidate.bid"]].to_pylist() == [0.5, 0.25, None]

    assert counts(summary)["users"] == (3, 2, 1)
    (reject,) = table(tmp_path, "rejects").to_pylist()
    assert (reject["line"], reject["reason"]) == (
        4,
        "user id repeats an earlier one",
    )
    # One revenue is above 0.
    assert (summary.sizes["revenue"], summary.sizes["clicked"]) == (1, 1)
    assert summary.notes[:-1] == (
        "ads.csv: 1 of 3 values of price are no numbers, or beyond "
        "±1e100, and count as missing, "
        "such as 'free' in line 4",
        "ads.csv: 1 of 3 values of vector are no vectors of the column's width "
        "and count as missing, such as '1 1 1' in line 4",
        "users.csv: 1 of 2 values of age are no numbers, or beyond "
        "±1e100, and count as missing, "
        "such as 'old' in line 3",
        "users.csv: 1 of 2 values of clicks hold entries that are no "
        "`key:number`, which are left out, such as 'hats' in line 3",
        "3 ads have neither title nor description; they are known by their "
        "other columns",
    )
    assert summary.notes[-1] == (
        "1 of 3 users have no row in the table of users; their features count "
        "as missing"
    )


def test_the_dataset_is_read(tmp_path):
    prepare(tmp_path)
    dataset = open_dataset(tmp_path / "out")
    assert len(dataset) == 3
    assert dataset.impressions.weights.tolist() == [1.0, 0.5, 2.0]
    assert dataset.impressions.labels["revenue"].tolist() == pytest.approx(
        [9.99, 0, -1]
    )


def test_it_goes_without_tensorflow(tmp_path):
    """Its import alone takes longer than a million rows."""
    features = {
        "rate": {"kind": "rate", "of": ["ad.brand", "device"]},
        **CONFIG["impressions"]["candidate_features"],
    }
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    config = changed("impressions", candidate_features=features)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = run(
        "import click.testing, sys\nfrom tfadrec.cli.main import main\n"
        "click.testing.CliRunner().invoke(\n"
        "  main, sys.argv[1:], catch_exceptions=False)\n"
        "print(sorted({'tensorflow', 'tf_keras'} & set(sys.modules)))",
        *("prepare", "table", "--config", tmp_path / "config.yaml"),
        *("--out", tmp_path / "out"),
    )
    assert done.stdout == "[]\n", done.stderr
    assert len(open_dataset(tmp_path / "out")) == 3


def test_users_read_off_a_log(tmp_path):
    config = changed("users", deduplicate=True)
    summary = prepare(tmp_path, config)
    assert counts(summary)["user rows"] == (3, 3, 0)
    assert table(tmp_path, "users")["user_id"].to_pylist() == ["u", "v"]
    assert (
        "users.csv: 3 user rows describe 2 users; the first value of each "
        "column is used (rows disagree on user.age of 1, user.brand of 1)"
    ) in summary.notes


def test_refused_labels_and_weights(tmp_path):
    bad = "u,a,30,1,tv,,,much,1\nu,a,30,1,tv,,,inf,1\nu,a,30,1,tv,,,1,-1\n"
    summary = prepare(tmp_path, **{"log.csv": FILES["log.csv"] + bad})
    assert counts(summary)["impressions"] == (6, 3, 3)
    reasons = table(tmp_path, "rejects")["reason"].to_pylist()
    assert reasons[1:] == [
        "revenue is no number within ±3.4e38",
        "revenue is no number within ±3.4e38",
        "w is no number from 0 to 3.4e38",
    ]


def test_places_are_whole_numbers(tmp_path):
    log = "user,ad,when,click,slot\nu,a,1,0,01\nu,b,1,0,1.0\nu,b,1,0,top\n"
    config = {
        "ads": {"file": "ads.csv", "ad_id": "id"},
        "impressions": {
            **{k: CONFIG["impressions"][k] for k in ("file", "user_id")},
            "max_rejected": 0.5,
            "ad_id": "ad",
            "timestamp": {"column": "when", "unit": "s"},
            "clicked": "click",
            "position": "slot",
        },
    }
    summary = prepare(tmp_path, config, **{"log.csv": log})
    assert table(tmp_path, "impressions")["position"].to_pylist() == ["1", "1"]
    assert counts(summary)["impressions"] == (3, 2, 1)


@pytest.mark.parametrize("history", [False, True])
def test_counts_become_weighted_rows(tmp_path, history):
    log = (
        "user,ad,when,shown,n,past\n"
        "u,a,1,100,3,b c\n"
        "u,b,2,4,0,a\n"
        "v,a,3,2,2,\n"
        "v,b,4,0,0,a\n"
        "v,c,5,1,2,a\n"
        "v,c,6,-1,0,a\n"
    )
    config = {
        "ads": {"file": "ads.csv", "ad_id": "id"},
        "impressions": {
            "file": "log.csv",
            "max_rejected": 0.5,
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": {"column": "when", "unit": "s"},
            "counts": {"impressions": "shown", "clicks": "n"},
            **({"history": "past"} if history else {}),
        },
    }
    summary = prepare(tmp_path, config, **{"log.csv": log})
    rows = table(tmp_path, "impressions")
    names = ("ad_id", "timestamp", "clicked", "weight")
    expected = [("a", 1, 1, 3.0), ("a", 1, 0, 97.0), ("b", 2, 0, 4.0)]
    expected += [("a", 3, 1, 2.0)]
    assert [
        tuple(row[n] for n in names) for row in rows.to_pylist()
    ] == expected
    assert rows.column_names[:6] == [
        "request_id",
        "user_id",
        "ad_id",
        "timestamp",
        "clicked",
        "weight",
    ]
    if history:
        assert rows["history"].to_pylist() == [0, 0, 1, 2]
    assert counts(summary)["impressions"] == (6, 4, 2)
    reasons = table(tmp_path, "rejects")["reason"].to_pylist()
    assert reasons == [
        "n is more than shown",
        "shown is no number from 0 to 3.4e38",
    ]
    assert summary.notes[0] == (
        "log.csv: 4 rows of counts, 106 impressions and 5 clicks, become 4 "
        "rows with weights; 1 were never shown"
    )
    assert open_dataset(tmp_path / "out").impressions.weights.sum() == 106


def test_nothing_was_shown(tmp_path):
    config = {
        "ads": {"file": "ads.csv", "ad_id": "id"},
        "impressions": {
            "file": "log.csv",
            "max_rejected": 0.5,
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": {"column": "when", "unit": "s"},
            "counts": {"impressions": "shown", "clicks": "n"},
        },
    }
    log = "user,ad,when,shown,n\nu,a,1,0,0\n"
    with pytest.raises(
        InputError, match=r"must hold impressions.* 1 rows, all shown 0 times"
    ):
        prepare(tmp_path, config, **{"log.csv": log})


def test_no_row_counts(tmp_path):
    log = "user,ad,when,click,w\nu,a,1,0,0\n"
    config = {
        "ads": {"file": "ads.csv", "ad_id": "id"},
        "impressions": {
            "file": "log.csv",
            "max_rejected": 0.5,
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": {"column": "when", "unit": "s"},
            "clicked": "click",
            "weight": "w",
        },
    }
    with pytest.raises(
        InputError, match=r"weights of log\.csv must not all be 0\. .* 1 rows"
    ):
        prepare(tmp_path, config, **{"log.csv": log})


def test_a_purchase_lends_its_weight_to_its_negatives(tmp_path):
    config = {
        "ads": {"file": "ads.csv", "ad_id": "id"},
        "impressions": {
            "file": "log.csv",
            "max_rejected": 0.5,
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": {"column": "when", "unit": "s"},
            "weight": "w",
        },
        "sampling": {"negatives_per_positive": 1, "strategy": "uniform"},
    }
    log = "user,ad,when,w\nu,a,1,2.5\nv,b,1,4\n"
    prepare(tmp_path, config, **{"log.csv": log})
    rows = table(tmp_path, "impressions")
    assert sorted(rows["weight"].to_pylist()) == [2.5, 2.5, 4, 4]
    assert sorted(rows["clicked"].to_pylist()) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("section", "features", "message"),
    [
        (
            "ads",
            {"brand": {"kind": "category", "buckets": "many"}},
            "`buckets` must be an integer from 0 .* for 'brand'",
        ),
        (
            "ads",
            {"none": {"kind": "category", "column": "nope"}},
            "ads.csv must have the column 'nope'",
        ),
        (
            "users",
            {"pair": {"kind": "cross", "of": ["device", "tags"]}},
            "a feature of the user can read features of the user",
        ),
        (
            "users",
            {"x": {"kind": "number", "column": "brand"}},
            "Give numbers within ±1e100, or name another kind or column",
        ),
        (
            "users",
            {"x": {"kind": "vector", "column": "brand"}},
            "the user's 'x': a vector must have values that can be read. "
            "Received: 2 values of brand, .* such as 'Y' in line 2.* with a "
            "point before decimals, and name the `separator` between them",
        ),
        *(
            (
                "users",
                {"x": {"column": "brand", **settings}},
                "must have values that can be read. Received: 2 values of "
                "brand, .* in line 2. Write entries as `key:number`, with a "
                "point before decimals",
            )
            for settings in (
                {"kind": "categories", "weighted": True},
                {"kind": "lookup", "of": "ad.brand"},
            )
        ),
    ],
)
def test_features_that_cannot_be(tmp_path, section, features, message):
    # Without the features of the base that others refer to.
    config = changed(section, features=CONFIG[section]["features"] | features)
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, config)
    assert not (tmp_path / "out").exists()


def test_a_column_of_the_wrong_type_is_named(tmp_path):
    pq.write_table(
        pa.table({"id": ["a", "b", "c"], "brand": [["X"], ["Y"], []]}),
        tmp_path / "ads.parquet",
    )
    config = {
        "ads": {
            "file": "ads.parquet",
            "ad_id": "id",
            "features": {"brand": "category"},
        },
        "impressions": {
            "file": "log.csv",
            "max_rejected": 0.5,
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": {"column": "when", "unit": "s"},
            "clicked": "click",
        },
    }
    with pytest.raises(
        InputError,
        match=r"ads\.parquet: the ad's 'brand': a column must hold texts",
    ):
        prepare(tmp_path, config)
