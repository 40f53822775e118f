"""A later day of a log, prepared so that it fits models of the first."""

import pyarrow.parquet as pq
import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset

DAY_1 = {
    "ads.csv": "id,brand,price,topics,taste\n"
    "1,Nike,10,run sun,1 0\n2,Puma,20,sun,0 1\n",
    "users.csv": "id,likes\n8,Nike:1 Puma:3\n",
    "events.csv": "user,ad,time,kind\n8,1,5,view\n8,2,6,buy\n",
    "log.csv": "user,ad,time,click,hour\n8,1,10,1,0\n9,2,11,0,12\n",
}
DAY_2 = {
    "ads.csv": "id,brand,price,topics,taste\n"
    "1,Nike,10,run sun,1 0\n2,Puma,20,sun,0 1\n"
    "3,Adidas,99,sun sea run,1 1\n4,Adidas,,,\n",
    "users.csv": "id,likes\n8,Nike:1 Adidas:9\n",
    "events.csv": "user,ad,time,kind\n8,1,5,view\n8,3,6,return\n",
    "log.csv": "user,ad,time,click,hour\n8,1,20,1,6\n7,3,21,0,23\n",
}
LOG = {"user_id": "user", "ad_id": "ad", "timestamp": "time"}
CONFIG = {
    "user_id_type": "int64",
    "ad_id_type": "int64",
    "ads": {
        "file": "ads.csv",
        "ad_id": "id",
        "features": {
            "brand": "category",
            "price": {"kind": "number", "log1p": True},
            "band": {"kind": "number", "column": "price", "bounds": [15]},
            "topics": "categories",
            "taste": "vector",
            "hashed": {"kind": "category", "column": "brand", "buckets": 9},
        },
    },
    "users": {
        "file": "users.csv",
        "user_id": "id",
        "features": {"likes": {"kind": "lookup", "of": "brand"}},
    },
    "events": {
        "file": "events.csv",
        **LOG,
        "event_type": "kind",
        "skipped": False,
    },
    "impressions": {
        "file": "log.csv",
        **LOG,
        "clicked": "click",
        "features": {"hour": "number"},
    },
}


def prepare(tmp_path, out, config, files, like=None):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    like = like and tmp_path / like
    return sources.prepare_table(path, tmp_path / out, like=like)


def schema(tmp_path, out):
    return Schema.from_json((tmp_path / out / "schema.json").read_text())


def changed(**features):
    """The configuration with other features of ads; None takes one away."""
    given = {**CONFIG["ads"]["features"], **features}
    given = {name: value for name, value in given.items() if value}
    return {**CONFIG, "ads": {**CONFIG["ads"], "features": given}}


@pytest.fixture
def first(tmp_path):
    prepare(tmp_path, "one", CONFIG, DAY_1)
    return tmp_path


def test_the_schema_stays_and_what_lies_outside_is_told(first):
    plain = prepare(first, "plain", CONFIG, DAY_2)
    assert schema(first, "plain") != schema(first, "one")
    # The types of ids stay as well, where the YAML file does not name them.
    config = {k: v for k, v in CONFIG.items() if not k.endswith("type")}
    config["name"] = "later"
    summary = prepare(first, "two", config, DAY_2, like="one")
    assert summary.sizes == plain.sizes
    one, two = schema(first, "one"), schema(first, "two")
    assert two.source == "later"
    assert (two.features, two.event_types) == (one.features, one.event_types)
    assert (two.user_id_type, two.ad_id_type) == ("int64", "int64")
    like = str(first / "one")
    compared = [n for n in summary.notes if like in n]
    assert compared == [
        f"the ad's 'brand': 2 of 4 values are new (1 distinct, most often "
        f"'Adidas') and count as unknown, compared with {like}",
        f"the user's 'likes': 1 of 2 values are new (1 distinct, most often "
        f"'Adidas') and count as unknown, compared with {like}",
        f"the ad's 'topics': 1 of 6 values are new (1 distinct, most often "
        f"'sea') and count as unknown, compared with {like}",
        f"1 of 2 events have types that {like} does not have (1 distinct, "
        f"most often 'return') and count as events of an unknown type",
    ]
    assert [n for n in summary.notes if " cut" in n] == [
        "the context's 'hour': 1 of 2 numbers lie outside [0, 12] and are cut "
        "to it",
        "the user's 'likes': 1 of 2 numbers lie outside [1, 3] and are cut to "
        "it",
        "the ad's 'price': 1 of 3 numbers lie outside [10, 20] and are cut to "
        "it",
        "the ad's 'topics': 1 of 4 lists have more than 2 values and are cut",
    ]
    dataset = open_dataset(first / "two")
    # Nike and Puma are codes 1 and 2; buy and view are types 1 and 2.
    assert dataset.catalogue.columns["brand"].tolist() == [1, 2, 0, 0]
    assert dataset.events.types.tolist() == [2, 0]
    before = open_dataset(first / "one").catalogue.columns["price"]
    assert dataset.catalogue.columns["price"][:2].tolist() == before.tolist()


def test_the_same_rows_lie_inside(first):
    summary = prepare(first, "two", CONFIG, DAY_1, like="one")
    assert not [note for note in summary.notes if "compared" in note]
    for name in ("ads", "users", "events", "impressions"):
        tables = [
            pq.read_table(first / out / f"{name}.parquet")
            for out in ("one", "two")
        ]
        assert tables[0].equals(tables[1])


def shown(**keys):
    """The configuration with more of impressions."""
    return {**CONFIG, "impressions": {**CONFIG["impressions"], **keys}}


OTHER = {"labels": {"hour": {"column": "time", "type": "real"}}}


@pytest.mark.parametrize(
    ("config", "files", "message"),
    [
        (
            changed(extra={"kind": "category", "column": "brand"}),
            {},
            "features must be those of .*one. Received: the ad's 'extra', which"
            " .*one does not have. Remove it",
        ),
        (
            changed(topics=None),
            {},
            "Received: the ad's 'topics', which only .*one has. Add it",
        ),
        (
            changed(
                topics=None,
                price=None,
                extra={"kind": "category", "column": "brand"},
            ),
            {},
            "Received: the ad's 'extra', which .*one does not have. Remove it. "
            "And the ad's '(topics|price)', the ad's '(topics|price)', which "
            "only .*one has. Add them, or",
        ),
        (
            changed(price="category"),
            {},
            "the ad's 'price' must be as in .*one, with the kind 'number'. "
            "Received: 'category'",
        ),
        (
            changed(price={"kind": "number", "log1p": False}),
            {},
            "'price' must be as in .*one, with log1p True. Received: False",
        ),
        (
            changed(
                hashed={"kind": "category", "column": "brand", "buckets": 8}
            ),
            {},
            "'hashed' must be as in .*one, with buckets 9. Received: 8",
        ),
        (
            changed(
                band={"kind": "number", "column": "price", "bounds": [15, 16]}
            ),
            {},
            r"'band' must be as in .*one, with bounds \[15.0\]. Received: \[1",
        ),
        (
            CONFIG
            | {
                "users": {
                    **CONFIG["users"],
                    "features": {"likes": {"kind": "lookup", "of": "hashed"}},
                }
            },
            {},
            r"'likes' must be as in .*one, with of \['brand'\]. Received: \['h",
        ),
        (
            changed(topics={"kind": "categories", "share": "brand"}),
            {},
            "'topics' must be as in .*one, with share ''. Received: 'brand'",
        ),
        (
            changed(topics={"kind": "categories", "weighted": True}),
            {"ads.csv": DAY_2["ads.csv"].replace("run sun", "run:1 sun:1")},
            "'topics' must be as in .*one, where it has no weights. Received: "
            "a column with weights. Give one without, or set `weighted: false`",
        ),
        (
            CONFIG,
            {
                "ads.csv": DAY_2["ads.csv"]
                .replace("1 0", "")
                .replace("0 1", "")
                .replace("1 1", "1 2 3")
            },
            "'taste' must have 2 floats, as in .*one. Received: 3",
        ),
        (
            shown(**OTHER),
            {},
            "labels must be those of .*one: clicked. Received: clicked, hour",
        ),
    ],
)
def test_another_schema(first, config, files, message):
    with pytest.raises(InputError, match=message) as caught:
        prepare(first, "two", config, {**DAY_2, **files}, like="one")
    assert "\n" not in str(caught.value)
    assert not (first / "two").exists()


def test_the_type_of_a_label(tmp_path):
    """It stands in the columns of the other dataset alone."""
    label = {"labels": {"late": {"column": "click", "type": "binary"}}}
    prepare(tmp_path, "one", shown(**label), DAY_1)
    prepare(tmp_path, "same", shown(**label), DAY_2, like="one")
    label["labels"]["late"]["type"] = "real"
    with pytest.raises(InputError) as error:
        prepare(tmp_path, "two", shown(**label), DAY_2, like="one")
    assert str(error.value) == (
        f"label late must be binary, as in {tmp_path / 'one'}. Received: real. "
        "Write the same."
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"weight": "time"}, "`weight` of impressions is not as in {} (none, "),
        (
            {"split": {"valid": 0.1, "test": 0.1}},
            "`split` of impressions is not as in {} (none, and one there), so",
        ),
        (
            {"negatives_kept": 0.1},
            "`negatives_kept` of impressions is not as in {} (1, and 0.1 there",
        ),
    ],
)
def test_rows_of_another_sort_are_noted(tmp_path, keys, said):
    """They can be measured: all negatives, say, after learning from a part."""
    prepare(tmp_path, "one", shown(**keys), DAY_1)
    same = prepare(tmp_path, "same", shown(**keys), DAY_2, like="one")
    other = prepare(tmp_path, "two", CONFIG, DAY_2, like="one")
    said = said.format(tmp_path / "one")
    assert [said in note for note in other.notes].count(True) == 1
    assert not any("cannot be joined" in note for note in same.notes)


def test_features_are_compared_before_files_are_read(first):
    (first / "log.csv").unlink()
    files = {k: v for k, v in DAY_2.items() if k != "log.csv"}
    with pytest.raises(InputError, match=r"which only .*one has"):
        prepare(first, "two", changed(topics=None), files, like="one")


def test_like_must_be_a_dataset(first):
    with pytest.raises(InputError, match="a dataset is a folder with a schema"):
        prepare(first, "two", CONFIG, DAY_2, like="none")


def test_types_of_given_histories(first):
    log = "user,ad,time,click,hour,past\n8,1,20,1,6,1:view 2:sell\n"
    config = {
        **CONFIG,
        "impressions": {
            **CONFIG["impressions"],
            "history": {"column": "past", "type_separator": ":"},
        },
    }
    files = {**DAY_2, "log.csv": log}
    summary = prepare(first, "two", config, files, like="one")
    assert any("most often 'sell'" in note for note in summary.notes)
    assert open_dataset(first / "two").events.types.tolist() == [2, 0]
