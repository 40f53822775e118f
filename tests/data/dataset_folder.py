"""Dataset folders written by hand, for the tests of reading them."""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema


def write(folder, tables, schema):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / "schema.json").write_text(schema.to_json(), "utf-8")
    return folder


def schema(**changes):
    fields = {
        "source": "made",
        "user_id_type": "string",
        "ad_id_type": "int64",
        "event_types": ("view", "click"),
        "features": (
            Feature(
                "device", "context", "category", vocabulary=("phone", "tv")
            ),
            Feature("scroll", "context", "number", mean=1.0, std=2.0),
        ),
    }
    return Schema(**{**fields, **changes})


def tables(users=("u", "v"), ads=(10, 20, 30)):
    """Two users, three ads, and times with ties."""
    u, v = users
    a, b, c = ads
    return {
        "ads": pa.table(
            {
                "ad_id": [a, b, c],
                "title": ["A", "B", "C"],
                "description": ["", "", ""],
                "tags": pa.array([[], [], []], pa.list_(pa.string())),
            }
        ),
        "events": pa.table(
            {
                "user_id": [u, u, u, u, v],
                "ad_id": [a, b, c, a, c],
                "event_type": ["view", "click", "odd", "view", "view"],
                "timestamp": pa.array([5, 7, 7, 9, 6], pa.int64()),
            }
        ),
        "impressions": pa.table(
            {
                "request_id": ["q", "q", "r", "s", "t"],
                "user_id": [u, u, v, u, "w" if isinstance(u, str) else 99],
                "ad_id": [a, c, b, b, a],
                "timestamp": pa.array([7, 7, 8, 12, 12], pa.int64()),
                "clicked": pa.array([0, 1, 0, 1, 0], pa.int8()),
                "device": ["tv", "tv", None, "watch", "phone"],
                "scroll": [3.0, 3.0, None, 1.0, -1.0],
                "secret": [0.1, 0.2, 0.3, 0.4, 0.5],
            }
        ),
    }
