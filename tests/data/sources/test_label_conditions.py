"""Labels that are worked out of a column: ratings, purchases, kinds of rows."""

import pyarrow.parquet as pq
import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.data import sources

LOG = (
    "user;ad;time;stars;order;kind\n"
    "u;a;1580459400;4,5;;view\n"
    "u;b;1580459401;3;n7;click\n"
    "v;a;1580459402;;;view\n"
    "v;b;1580459403;1.000,5;n8;tap\n"
)


def prepare(folder, log=LOG, **labels):
    (folder / "ads.csv").write_text("id\na\nb\n")
    (folder / "log.csv").write_text(log)
    config = {
        "ads": {"file": "ads.csv", "ad_id": "id"},
        "impressions": {
            "file": "log.csv",
            "delimiter": ";",
            "decimal": ",",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "time",
            **labels,
        },
    }
    (folder / "table.yaml").write_text(yaml.safe_dump(config))
    summary = sources.prepare_table(folder / "table.yaml", folder / "out")
    return summary, pq.read_table(folder / "out" / "impressions.parquet")


@pytest.mark.parametrize(
    ("column", "positive", "negative", "expected"),
    [
        ("stars", ">3 <1000", [3, 1000.5], [1, 0, 0]),
        ("order", {"not": ""}, "", [0, 1, 0, 1]),
        ("kind", ["click", "tap"], "view", [0, 1, 0, 1]),
    ],
)
def test_conditions_tell_a_label(
    tmp_path, column, positive, negative, expected
):
    told = {"column": column, "positive": positive, "negative": negative}
    summary, rows = prepare(tmp_path, clicked=told, max_rejected=0.3)
    assert rows["clicked"].to_pylist() == expected
    assert str(rows["clicked"].type) == "int8"
    assert not any("in all rows" in note for note in summary.notes)


def test_conditions_that_tell_no_rows_apart_are_noted(tmp_path):
    told = {"column": "kind", "positive": "clik", "negative": {"not": "clik"}}
    summary, rows = prepare(tmp_path, clicked=told)
    assert rows["clicked"].to_pylist() == [0, 0, 0, 0]
    (note,) = [note for note in summary.notes if "in all " in note]
    assert note == (
        "clicked is 0 in all 4 rows, so nothing can be learned of it; check "
        "its column, conditions on it, and `where`"
    )


def test_the_column_of_conditions_is_no_feature(tmp_path):
    with pytest.raises(InputError, match="the column of a label"):
        prepare(
            tmp_path,
            clicked={"column": "order", "positive": "n7", "negative": ""},
            candidate_features={"order": "category"},
        )


@pytest.mark.parametrize(
    ("column", "mend"),
    [
        ("stars", r"is not 0 or 1.* Say which .* positive: \[yes\]"),
        ("bought", r'bought has no label.* Leave .* positive: \{not: ""\}'),
    ],
)
def test_the_mend_of_other_labels_are_conditions(tmp_path, column, mend):
    log = LOG.replace("order", "bought").replace("n7", "1").replace("n8", "1")
    with pytest.raises(InputError, match=mend):
        prepare(
            tmp_path,
            log.replace("a;1580459402;;", "a;1580459402;5;"),
            clicked=column,
        )


def test_all_numbers_of_a_log_have_its_decimal_comma(tmp_path):
    """1.000 is a thousand, as a weight and as a place, and 1,0 is a label."""
    log = (
        "user;ad;time;click;slot;weight;paid\n"
        "u;a;1580459400;1,0;1.000;0,5;1.234,5\n"
        "u;b;1580459401;0;2,0;1.000;-0,5\n"
    )
    _, rows = prepare(
        tmp_path,
        log,
        clicked="click",
        position="slot",
        weight="weight",
        labels={"paid": {"column": "paid", "type": "real"}},
    )
    assert rows["clicked"].to_pylist() == [1, 0]
    assert rows["position"].to_pylist() == ["1000", "2"]
    assert rows["weight"].to_pylist() == [0.5, 1000.0]
    assert rows["paid"].to_pylist() == [1234.5, -0.5]
