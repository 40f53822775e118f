import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.data.sources.table_config import read_config
from tfadrec.data.sources.table_spec import ColumnSpec

ADS = {"file": "ads.csv", "ad_id": "id"}
IMPRESSIONS = {
    "file": "log.csv",
    "user_id": "user",
    "ad_id": "ad",
    "timestamp": "time",
    "clicked": "click",
}
PURCHASES = {k: v for k, v in IMPRESSIONS.items() if k != "clicked"}
GOOD = {"ads": ADS, "impressions": IMPRESSIONS}


def read(tmp_path, content):
    path = tmp_path / "config.yaml"
    if not isinstance(content, str):
        content = yaml.safe_dump(content, sort_keys=False)
    path.write_text(content)
    return read_config(path)


def test_defaults(tmp_path):
    config = read(tmp_path, GOOD)
    assert (config.name, config.user_id_type) == ("table", "string")
    assert (config.ad_id_type, config.events) == ("string", None)
    assert config.sampling is None
    assert config.ads.path == str(tmp_path / "ads.csv")
    assert not config.ads.deduplicate
    assert config.impressions.wanted() == ["ad", "user", "time", "click"]
    assert (config.users, config.negatives_kept) == (None, 1.0)
    assert (config.labels, config.features) == (("clicked",), ())


def test_columns_and_features(tmp_path):
    config = read(
        tmp_path,
        {
            "ads": {
                **ADS,
                "file": "/abs/ads.csv",
                "tags": {"column": "genres", "separator": "|"},
                "categorical": ["brand"],
                "numeric": {"price": "UnitPrice"},
            },
            "events": {
                **PURCHASES,
                "file": "memory://events.csv",
                "timestamp": {"column": "time", "format": "%Y"},
                "event_type": {"constant": "view"},
            },
            "impressions": PURCHASES,
            "sampling": {"negatives_per_positive": 2},
        },
    )
    assert config.ads.path == "/abs/ads.csv"
    assert config.ads.columns["tags"] == ColumnSpec("genres", separator="|")
    assert config.ads.wanted() == ["id", "genres", "brand", "UnitPrice"]
    assert config.events.path == "memory://events.csv"
    assert config.events.columns["timestamp"].format == "%Y"
    assert config.events.columns["event_type"].constant == "view"
    assert config.events.wanted() == ["ad", "user", "time"]
    assert config.sampling == {
        "negatives_per_positive": 2,
        "strategy": "popularity",
        "seed": 0,
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "must be a readable YAML file. Received: .*config.yaml"),
        ("- 1", "the file must hold keys and values"),
        ({**GOOD, "add": 1}, "Received: 'add'. Allowed keys: name, user_id"),
        (
            {**GOOD, "ads": {**ADS, "titel": "x"}},
            "ads must hold known keys only. Received: 'titel'. Allowed keys: "
            "file, delimiter, deduplicate, ad_id, title",
        ),
        ({"ads": ADS}, "the file must name 'impressions'. Received: ads"),
        (
            {**GOOD, "ads": {"file": "x"}},
            "ads must name 'ad_id'. Received: file",
        ),
        ({**GOOD, "ads": None}, "the file must name 'ads'"),
        ({**GOOD, "ads": "x"}, "ads must hold keys and values. Received: 'x'"),
        ({**GOOD, "ad_id_type": "int"}, "ad_id_type must be one of string"),
        (
            {**GOOD, "ads": {**ADS, "deduplicate": "yes!"}},
            "ads.deduplicate must be true or false",
        ),
        (
            {**GOOD, "ads": {**ADS, "title": {"column": "x", "format": "y"}}},
            "ads.title must be the name of a column, or {column: …}. Received",
        ),
        (
            {**GOOD, "ads": {**ADS, "tags": 3}},
            "ads.tags must be the name of a column, or {column: …} or "
            "{column: …, separator: …}. Received: 3",
        ),
        (
            {**GOOD, "ads": {**ADS, "numeric": "price"}},
            "ads.numeric must be a list of columns",
        ),
        (
            {**GOOD, "ads": {**ADS, "numeric": [1]}},
            "ads.numeric must be a list of columns",
        ),
        (
            {**GOOD, "ads": {**ADS, "categorical": ["x"], "numeric": ["x"]}},
            "ads must name a feature once. Received: 'x' in categorical and in "
            "numeric. Remove one.",
        ),
        (
            {**GOOD, "ads": {**ADS, "delimiter": "::"}},
            "ads.delimiter must be one character. Received: '::'",
        ),
        (
            {**GOOD, "ads": {**ADS, "file": "no://x"}},
            "a URI needs an installed filesystem",
        ),
        (
            {"ads": ADS, "impressions": PURCHASES},
            "impressions must name 'clicked', or `counts`, or negatives",
        ),
        (
            {**GOOD, "sampling": {"negatives_per_positive": 1}},
            "rows to sample for are positive .* Received: clicked. Remove",
        ),
        (
            {**GOOD, "sampling": {"negatives_per_positive": 0}},
            "sampling.negatives_per_positive must be an integer >= 1",
        ),
        (
            {**GOOD, "sampling": {"negatives_per_positive": 1, "seed": "x"}},
            "sampling.seed must be an integer >= 0. Received: 'x'",
        ),
        (
            {
                **GOOD,
                "sampling": {"negatives_per_positive": 1, "strategy": "x"},
            },
            "strategy must be one of popularity, uniform. Received: 'x'",
        ),
    ],
)
def test_what_is_not_allowed(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="must be a readable YAML file"):
        read_config(tmp_path / "none.yaml")
