import pyarrow as pa
import pytest

from tfadrec.data.intake.first_values import FirstValues


@pytest.mark.parametrize("size", [5, 2, 1])
def test_the_first_value_of_each_column(size):
    table = pa.table(
        {
            "id": ["b", "a", "b", "a", "c"],
            "title": ["", "A", "B", "other", ""],
            "price": [None, None, 2.0, 3.0, None],
            "tags": pa.array([[], ["x"], None, ["y"], []]),
            "map": pa.array(
                [[], [], [("k", 1.0)], [], []],
                pa.map_(pa.string(), pa.float64()),
            ),
        }
    )
    firsts = FirstValues("id")
    for begin in range(0, 5, size):
        firsts.add(table.slice(begin, size))
    assert firsts.table().to_pylist() == [
        {
            "id": "b",
            "title": "B",
            "price": 2.0,
            "tags": [],
            "map": [("k", 1.0)],
        },
        {"id": "a", "title": "A", "price": 3.0, "tags": ["x"], "map": []},
        {"id": "c", "title": "", "price": None, "tags": [], "map": []},
    ]
    assert firsts.apart() == {"title": 1}
