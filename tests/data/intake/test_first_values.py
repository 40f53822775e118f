import pyarrow as pa
import pytest

from tfadrec.data.intake.first_values import FirstValues


@pytest.mark.parametrize("size", [7, 2, 1])
def test_the_first_value_of_each_column(size):
    table = pa.table(
        {
            "id": ["b", "a", "b", "a", "d", "d", "c"],
            "title": ["", "A", "B", "other", "D", "too", ""],
            "price": [None, None, 2.0, 3.0, 4.0, 4.0, None],
            "tags": pa.array([[], ["x"], None, ["y"], [], [], []]),
            "map": pa.array(
                [[], [], [("k", 1.0)], [], [], [], []],
                pa.map_(pa.string(), pa.float64()),
            ),
        }
    )
    firsts = FirstValues("id")
    for begin in range(0, 7, size):
        firsts.merge(FirstValues.of(table.slice(begin, size), "id"))
    assert firsts.table().to_pylist() == [
        {
            "id": "b",
            "title": "B",
            "price": 2.0,
            "tags": [],
            "map": [("k", 1.0)],
        },
        {"id": "a", "title": "A", "price": 3.0, "tags": ["x"], "map": []},
        {"id": "d", "title": "D", "price": 4.0, "tags": [], "map": []},
        {"id": "c", "title": "", "price": None, "tags": [], "map": []},
    ]
    assert firsts.apart() == {"title": 2}
