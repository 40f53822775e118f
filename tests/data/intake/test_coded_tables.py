"""Files of coded tables."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfadrec.data.intake.coded_tables import (
    compact,
    joined,
    open_coded,
    plain_table,
    seldom_repeated,
    size_of,
    with_codes,
)


def test_a_file_of_codes_reads_as_one_of_values(tmp_path):
    """Types of columns included, which Arrow notes in the file."""
    table = pa.table(
        {
            "request_id": pa.array([f"r{n}" for n in range(100)]),
            "user_id": pa.array([1, 2] * 50),
            "ad_id": pa.array(["a", "b", "a", "ü"] * 25),
            "vector": pa.array([[0.5]] * 100, pa.large_list(pa.float32())),
            "level": pa.array(range(100), pa.int8()),
        }
    )
    coded = with_codes(table)
    assert pa.types.is_dictionary(coded.schema.field("ad_id").type)
    assert seldom_repeated(coded) == {"request_id"}
    coded = plain_table(coded, ["request_id"])
    with open_coded(tmp_path / "coded.parquet", coded.schema) as writer:
        writer.write_table(coded.slice(0, 60))
        writer.write_table(coded.slice(60))
    pq.write_table(table, tmp_path / "plain.parquet")
    found, wanted = (
        pq.read_table(tmp_path / f"{name}.parquet")
        for name in ("coded", "plain")
    )
    assert found.schema.equals(wanted.schema, check_metadata=True)
    assert found.equals(wanted)
    facts = pq.read_metadata(tmp_path / "coded.parquet").row_group(0)
    columns = (facts.column(n) for n in range(facts.num_columns))
    told = {c.path_in_schema for c in columns if c.statistics}
    assert told == {"request_id", "level"}


def test_tables_with_codes_of_their_own_are_joined_by_values():
    """A column's codes are those of one table, whichever has some."""
    tables = [pa.table({"ad_id": list(ids)}) for ids in ("ab", "ba", "c")]
    coded = [with_codes(tables[0]), with_codes(tables[1]), tables[2]]
    assert joined(coded).equals(pa.concat_tables(tables))
    assert joined(coded[:1]).equals(coded[0])


def test_a_compact_table_knows_the_values_that_rows_have():
    codes = pa.array([3, 1, 3], pa.int32())
    column = pa.DictionaryArray.from_arrays(codes, ["a", "b", "c", "d"])
    table = pa.table({"ad_id": column, "level": [1, 2, 3]})
    found = compact(table)
    assert plain_table(found).equals(plain_table(table))
    assert found["ad_id"].chunk(0).dictionary.to_pylist() == ["b", "d"]
    assert compact(found).equals(found)


def test_a_table_is_as_large_with_codes_as_with_values():
    """The limits of parts are those of values, which they may have to hold."""
    table = pa.table(
        {"ad_id": ["a" * 40, "b" * 40] * 500, "level": range(1000)}
    )
    assert size_of(table) == table.nbytes
    assert size_of(with_codes(table)) == pytest.approx(table.nbytes, rel=0.1)
