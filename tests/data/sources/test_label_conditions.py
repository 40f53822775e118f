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
    ("column", "condition", "expected"),
    [
        ("stars", ">=4", [1, 0, 0, 1]),
        ("stars", ">3 <1000", [1, 0, 0, 0]),
        ("order", {"not": ""}, [0, 1, 0, 1]),
        ("kind", ["click", "tap"], [0, 1, 0, 1]),
        ("kind", "view", [1, 0, 1, 0]),
    ],
)
def test_a_label_is_1_where_its_condition_holds(
    tmp_path, column, condition, expected
):
    summary, rows = prepare(
        tmp_path, clicked={"column": column, "is": condition}
    )
    assert rows["clicked"].to_pylist() == expected
    assert str(rows["clicked"].type) == "int8"
    assert not any("in all rows" in note for note in summary.notes)


def test_further_labels_may_have_one(tmp_path):
    _, rows = prepare(
        tmp_path,
        clicked={"column": "kind", "is": {"not": "view"}},
        converted={"column": "order", "is": "n8"},
        labels={"liked": {"column": "stars", "is": ">=4"}},
    )
    assert rows["clicked"].to_pylist() == [0, 1, 0, 1]
    assert rows["converted"].to_pylist() == [0, 0, 0, 1]
    assert rows["liked"].to_pylist() == [1, 0, 0, 1]


def test_a_condition_that_tells_no_rows_apart_is_noted(tmp_path):
    summary, rows = prepare(tmp_path, clicked={"column": "kind", "is": "clik"})
    assert rows["clicked"].to_pylist() == [0, 0, 0, 0]
    assert (
        "log.csv: clicked is 0 in all rows; check the condition on kind"
        in summary.notes
    )


def test_the_column_of_a_condition_is_no_feature(tmp_path):
    with pytest.raises(InputError, match="the column of a label"):
        prepare(
            tmp_path,
            clicked={"column": "stars", "is": ">=4"},
            candidate_features={"stars": "number"},
        )


@pytest.mark.parametrize(
    ("column", "mend"),
    [
        ("stars", r'is not 0 or 1.* Write it .* `\{column: …, is: ">=4"\}`'),
        ("bought", r"bought has no label.* Leave .*, is: true\}`"),
    ],
)
def test_the_mend_of_other_labels_is_a_condition(tmp_path, column, mend):
    log = LOG.replace("order", "bought").replace("n7", "1").replace("n8", "1")
    with pytest.raises(InputError, match=mend):
        prepare(
            tmp_path,
            log.replace("a;1580459402;;", "a;1580459402;5;"),
            clicked=column,
        )
