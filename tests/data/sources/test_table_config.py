import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.data.intake.row_filter import RowFilter
from tfadrec.data.sources.table_config import read_config
from tfadrec.data.sources.table_spec import ColumnSpec, LabelSpec

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
        "period": "auto",
        "seed": 0,
    }


def test_features_of_every_entity(tmp_path):
    config = read(
        tmp_path,
        {
            "ads": {
                **ADS,
                "tags": {"column": "genres", "separator": "|"},
                "features": {
                    "Preis (€)": {
                        "kind": "number",
                        "column": "price",
                        "log1p": True,
                    },
                    "tags": "categories",
                    "class_brand": {
                        "kind": "category",
                        "column": ["class", "brand"],
                    },
                },
                "categorical": ["brand"],
            },
            "users": {
                "file": "users.csv",
                "user_id": "id",
                "features": {
                    "brand": {"kind": "category", "share": "ad.brand"},
                    "clicks": {
                        "kind": "lookup",
                        "of": "class_brand",
                        "separator": ";",
                    },
                },
            },
            "events": {
                **PURCHASES,
                "event_type": {"constant": "view"},
                "features": {"dwell": "number"},
            },
            "impressions": {
                **IMPRESSIONS,
                "position": "slot",
                "features": {"device": "category"},
                "candidate_features": {
                    "pair": {"kind": "cross", "of": ["device", "ad.brand"]}
                },
            },
        },
    )
    price, tags, joined, brand = config.ads.features
    assert (price.key, price.columns) == ("ad.Preis (€)", ("price",))
    assert price.settings == {"log1p": True}
    assert (tags.columns, tags.separator) == (("genres",), "|")
    assert joined.columns == ("class", "brand")
    assert (brand.kind, brand.columns) == ("category", ("brand",))
    assert config.ads.wanted() == [
        "id",
        "genres",
        "price",
        "genres",
        "class",
        "brand",
        "brand",
    ]
    liked, clicks = config.users.features
    assert (liked.share, liked.references) == ("ad.brand", ("ad.brand",))
    assert (clicks.of, clicks.separator) == (("class_brand",), ";")
    assert [f.key for f in config.events.features] == ["event.dwell"]
    position, device, pair = config.impressions.features
    assert (position.key, position.kind) == ("candidate.position", "category")
    assert (device.key, pair.key) == ("context.device", "candidate.pair")
    assert pair.columns == ()
    assert len(config.features) == 10


def test_labels_weights_and_counts(tmp_path):
    config = read(
        tmp_path,
        log(
            labels={
                "revenue": "real",
                "bought": {"column": "b", "type": "binary"},
                "liked": {
                    "column": "stars",
                    "type": "binary",
                    "positive": ">3",
                    "negative": [1, 2, 3],
                },
            },
            weight="w",
            negatives_kept=0.1,
        ),
    )
    labels = config.impressions.labels
    assert config.labels == ("clicked", "revenue", "bought", "liked")
    assert (labels["revenue"].column, labels["revenue"].type) == (
        "revenue",
        "real",
    )
    assert labels["bought"] == LabelSpec("b", "binary")
    assert labels["liked"].positive == RowFilter("stars", bounds=((">", 3.0),))
    assert config.impressions.columns["weight"].column == "w"
    assert config.negatives_kept == 0.1
    config = read(
        tmp_path,
        {"ads": ADS, "impressions": {**PURCHASES, "counts": COUNTS}},
    )
    assert config.labels == ("clicked",)
    assert {"shown", "n"} <= set(config.impressions.wanted())


def test_filters_know_how_their_times_are_written(tmp_path):
    """Of the section itself, else of another one that reads the same file.

    A link to it is the same file.
    """
    (tmp_path / "log.csv").touch()
    (tmp_path / "link.csv").symlink_to("log.csv")
    log = "{file: link.csv, user_id: u, ad_id: a"
    config = read(
        tmp_path,
        f"""
ads: {{file: log.csv, deduplicate: true, ad_id: a,
  where: {{t: ">2020-01-31", s: ">2020-01-31", n: ">0"}}}}
users: {{file: users.csv, user_id: u, where: {{t: ">2020-01-31"}}}}
events: {log}, timestamp: {{column: s, format: "%d.%m.%Y"}},
  event_type: {{constant: click}}, where: {{s: ">2020-01-31"}}}}
impressions: {log}, timestamp: {{column: t, unit: ms, timezone: Asia/Tokyo}},
  clicked: c, where: {{s: ">2020-01-31", t: "<2020-03-01"}}}}
""",
    )
    ms, day = (None, "Asia/Tokyo", "ms"), ("%d.%m.%Y", None, None)
    unknown = (None, None, None)
    assert [
        [(w.time_format, w.timezone, w.unit) for w in table.where]
        for table in (
            config.ads,
            config.users,
            config.events,
            config.impressions,
        )
    ] == [[ms, day, unknown], [unknown], [day], [day, ms]]


def test_a_number_may_be_written_with_an_exponent(tmp_path):
    text = yaml.safe_dump(log(negatives_kept=7)).replace(": 7", ": 1e-1")
    assert read(tmp_path, text).negatives_kept == 0.1


def ads(**features):
    return {**GOOD, "ads": {**ADS, "features": features}}


def log(**keys):
    return {**GOOD, "impressions": {**IMPRESSIONS, **keys}}


PURE = (
    "category, categories, number, vector, cross, lookup, overlap, rate, "
    "count, expression"
)
FEATURES = [
    (
        {**GOOD, "ads": {**ADS, "features": ["brand", "price"]}},
        r"ads.features must give the kind of each feature. Received: "
        r"\['brand', 'price'\]. Write \{name: kind\}, such as "
        r"\{brand: category\}; kinds: category, ",
    ),
    ({**GOOD, "ads": {**ADS, "features": "brand"}}, "the kind of each feature"),
    (
        {**GOOD, "ads": {**ADS, "features": {2019: "number"}}},
        "the name of a feature must be text, and not empty. Received: 2019 in "
        "ads.features",
    ),
    (
        {**GOOD, "ads": {**ADS, "features": {"": "number"}}},
        r"Received: '' in ads.features\. Give it a name",
    ),
    (
        ads(brand="categry"),
        f"ads.features.brand must be of a known kind. Received: 'categry'. "
        rf"Kinds: {PURE}. Did you mean category",
    ),
    (
        ads(brand={"kind": "category", "buckets": 0}),
        "ads.features.brand.buckets must be a number of buckets. Received: 0",
    ),
    (
        ads(price={"kind": "number", "bounds": []}),
        "ads.features.price.bounds must be the bounds of buckets. Received: ",
    ),
    (
        ads(price={"kind": "number", "bounds": [5, 1, 5.0]}),
        r"ads.features.price.bounds must be ascending numbers. Received: "
        r"\[5, 1, 5.0\]. Write \[1, 5\]",
    ),
    (
        ads(words={"kind": "categories", "sep": "|"}),
        r"Received: 'sep'. A categories has: .* Did you mean separator\?",
    ),
    (
        {**GOOD, "ads": {**ADS, "tags": {"column": "t", "sep": "|"}}},
        r"ads.tags must hold known keys .*'sep'.* Did you mean separator\?",
    ),
    (
        log(candidate_features={"seen": {"kind": "number", "column": "click"}}),
        "the column of a label must be no feature. Received: 'seen', which .* "
        "'click'",
    ),
    (
        {**GOOD, "ads": {**ADS, "file": "log.csv", "numeric": ["click"]}},
        "the column of a label must be no feature. Received: 'click'",
    ),
    (ads(brand=3), "ads.features.brand must be a kind, or {kind: …}"),
    (ads(brand={"column": "x"}), "ads.features.brand must be a kind, or {kin"),
    (
        ads(brand={"kind": "category", "bucket": 9}),
        "ads.features.brand must have settings of its kind. Received: 'bucket'."
        " A category has: column, share, buckets, min_count.",
    ),
    (
        ads(brand={"kind": "expression", "buckets": 9}),
        "Received: 'buckets'. An expression has: of, expression.",
    ),
    (
        ads(brand={"kind": "category", "separator": ","}),
        "settings of its kind. Received: 'separator'",
    ),
    (
        ads(x={"kind": "cross", "of": ["a", "b"], "column": "c"}),
        "Received: 'column'. A cross has: of, buckets.",
    ),
    (
        ads(brand={"kind": "category", "column": 7}),
        "ads.features.brand.column must be a name, or a list of names. Rece",
    ),
    (
        ads(brand={"kind": "category", "column": []}),
        "ads.features.brand.column must be a name, or a list of names. Rece",
    ),
    (
        ads(price={"kind": "number", "column": ["a", "b"]}),
        "ads.features.price.column must be one column; those of a category are "
        "joined. Received: .* for a number",
    ),
    (
        ads(topics={"kind": "categories", "separator": ""}),
        "ads.features.topics.separator must be text. Received: ''",
    ),
    (
        ads(brand={"kind": "category", "share": ["a", "b"]}),
        "ads.features.brand.share must be a name. Received",
    ),
    (
        ads(brand={"kind": "category", "share": "other"}),
        "`of` and `share` must name one other feature each. Received: 'other' "
        "for 'brand', which names no feature. Name one of brand.",
    ),
    (
        {
            **ads(brand="category", x={"kind": "cross", "of": ["brand", "x"]}),
            "users": {
                "file": "users.csv",
                "user_id": "id",
                "features": {"brand": "category"},
            },
        },
        "Received: 'brand' for 'x', which names several. Name one of ad.brand, "
        "user.brand.",
    ),
    (
        ads(
            a={"kind": "category", "share": "b"},
            b={"kind": "category", "share": "a"},
        ),
        "must not refer to each other in a circle. Received: 'a', 'b'. Take",
    ),
    (
        log(position="slot", candidate_features={"position": "number"}),
        "impressions must name a feature once. Received: 'position' in position"
        " and in candidate_features",
    ),
    (
        {
            **GOOD,
            "events": {
                **PURCHASES,
                "event_type": {"constant": "view"},
                "features": {"dwell": "number"},
            },
            "impressions": {**IMPRESSIONS, "history": "past"},
        },
        "events must have no features where impressions name 'history'.*: dwel",
    ),
]
COUNTS = {"impressions": "shown", "clicks": "n"}
LABELS = [
    (log(labels=["revenue"]), "labels must give the type of each label. Recei"),
    (
        log(labels={"revenue": "float"}),
        "labels.revenue must be binary, real, or",
    ),
    (
        log(clicked={"column": "x", "positive": "ja"}),
        "impressions.clicked must say both which values .* are `positive` and",
    ),
    (
        log(labels={"r": {"type": "real", "positive": 1, "negative": 0}}),
        "labels.r is of real numbers, which are read as they are. .* Leave "
        "positive and negative out, or write `type: binary`",
    ),
    (
        log(clicked={"column": "x", "positive": [], "negative": "nein"}),
        r"impressions.clicked.positive must be a value, a list of values, ",
    ),
    (
        log(clicked={"column": "x", "positve": "ja"}),
        "impressions.clicked must hold known keys only. Received: 'positve'. "
        "Allowed keys: column, positive, negative. Did you mean positive?",
    ),
    (
        log(labels={"rated": {"colum": "x"}}),
        "labels.rated must hold known keys only. Received: 'colum'. Allowed "
        "keys: column, type, positive, negative. Did you mean column?",
    ),
    (log(labels={"revenue": {"column": "x"}}), "labels.revenue must be binary"),
    (
        log(labels={"clicked": "binary"}),
        "the name of a label must be .* Receive",
    ),
    (
        log(labels={"Weight": "real"}),
        "and mean nothing else. Received: 'Weight",
    ),
    (
        # What a ranker of clicks and conversions predicts besides.
        log(labels={"converted_if_clicked": "binary"}),
        "and mean nothing else. Received: 'converted_if_clicked'",
    ),
    (
        log(labels={"Liked": "binary", "liked": "binary"}),
        "names of their own, also where capitals are .*Received: 'liked' twi",
    ),
    (log(labels={"a b": "real"}), "letters, digits and underscores, .*: 'a b'"),
    (log(labels={1: "real"}), "the name of a label must be .* Received: 1"),
    (
        log(clicked={"positive": "1"}),
        "clicked must be the name of a column, or",
    ),
    (log(counts="shown"), "counts must name two columns. Received: 'shown'"),
    (log(counts={"impressions": "shown"}), "counts must name two columns"),
    (
        log(counts=COUNTS, weight="w"),
        "counts give `clicked` and the weights of rows, .* Received: clicked, "
        "weight. Remove",
    ),
    (
        {
            "ads": ADS,
            "impressions": {**PURCHASES, "counts": COUNTS},
            "sampling": {"negatives_per_positive": 1},
        },
        "go without other labels. Received: sampling",
    ),
    (log(negatives_kept=0), r"must be a share in \(0, 1\]. Received: 0"),
    (log(negatives_kept=1.5), r"must be a share in \(0, 1\]. Received: 1.5"),
    (log(negatives_kept=True), r"must be a share in \(0, 1\]. Received: True"),
    (log(negatives_kept="x"), r"must be a share in \(0, 1\]. Received: 'x'"),
    (
        {
            "ads": ADS,
            "impressions": {
                **PURCHASES,
                "labels": {"revenue": "real"},
                "candidate_features": {"bid": "number"},
                "negatives_kept": 0.5,
            },
            "sampling": {"negatives_per_positive": 1},
        },
        "rows to sample for .* Received: bid, negatives_kept, revenue. Remove",
    ),
]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "must be a readable YAML file. Received: .*config.yaml"),
        ("- 1", r"config.yaml \(a config must be sections .* Received: list"),
        (
            "ads: {file: a, file: b}",
            r"config.yaml \(a config must be YAML. Received: the key 'file' ",
        ),
        ("", "the file must name 'ads'. Received: nothing"),
        ({**GOOD, "add": 1}, "Received: 'add'. Allowed keys: name, user_id"),
        (
            {**GOOD, "ads": {**ADS, "titel": "x"}},
            "ads must hold known keys only. Received: 'titel'. Allowed keys: "
            "file, delimiter, encoding, columns, quoting, decimal, where, ",
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
            "ads.title must hold known keys only. Received: 'format'. Allowed "
            "keys: column.",
        ),
        (
            {**GOOD, "ads": {**ADS, "tags": {"column": "x", "sep": "|"}}},
            "ads.tags must hold known keys only. Received: 'sep'. Allowed "
            "keys: column, separator.",
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
        *FEATURES,
        *LABELS,
        (
            {**GOOD, "ads": {**ADS, "delimiter": ""}},
            "ads.delimiter must be characters other than .*: ''. Correct",
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
            "sampling.negatives_per_positive must be an integer from 1 to 1000."
            " Received: 0. Correct",
        ),
        (
            {**GOOD, "sampling": {"negatives_per_positive": 1001}},
            "sampling.negatives_per_positive must be an integer from 1 to 1000."
            " Received: 1001",
        ),
        (
            {**GOOD, "sampling": {"negatives_per_positive": True}},
            "sampling.negatives_per_positive must be .* Received: True",
        ),
        (
            {
                **GOOD,
                "sampling": {"negatives_per_positive": 1, "period": "hour"},
            },
            "period must be one of auto, day, week, month, year, all. "
            "Received: 'hour'",
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
