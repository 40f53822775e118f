"""Logs that are larger than what is in memory at a time."""

import pyarrow.parquet as pq
import pytest

from tests.data.large_log import (
    HISTORIES,
    OFF_THE_LOG,
    SAMPLED,
    tables,
    write,
)
from tfadrec.core.errors import InputError
from tfadrec.data.intake import limits
from tfadrec.data.sources import prepare_table


@pytest.fixture
def small(monkeypatch):
    """Batches and parts of few rows."""
    monkeypatch.setattr(limits, "BATCH_ROWS", 70)
    monkeypatch.setattr(limits, "PART_ROWS", 90)
    monkeypatch.setattr(limits, "LOOK_UP_ROWS", 130)
    monkeypatch.setattr(limits, "TEXT_BYTES", 6000)


@pytest.mark.parametrize(
    ("end", "changes"),
    [
        ("parquet", {}),
        ("jsonl", HISTORIES),
        pytest.param("csv", {}, marks=pytest.mark.slow),
        pytest.param("parquet", OFF_THE_LOG, marks=pytest.mark.slow),
        pytest.param("parquet", SAMPLED, marks=pytest.mark.slow),
        pytest.param(
            "parquet",
            {"impressions": {"request_id": None, "split": None}},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "parquet",
            {"impressions": {"split": {"valid": 0.1, "test": 0.2}}},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_parts_make_the_dataset_that_one_part_makes(
    tmp_path, request, end, changes
):
    config = write(tmp_path, end, **changes)
    home = tmp_path / "home"
    whole = prepare_table(config, home / "d")
    request.getfixturevalue("small")
    parts = prepare_table(config, home / "e")
    assert parts.counts == whole.counts
    assert parts.sizes == whole.sizes
    assert parts.notes == whole.notes
    files = sorted(p.relative_to(home / "d") for p in (home / "d").rglob("*.*"))
    assert len(files) > 20
    for file in files:
        one, two = home / "d" / file, home / "e" / file
        if file.suffix == ".parquet":
            assert pq.read_table(two).equals(pq.read_table(one)), file
        elif file.name != "manifest.json":
            assert two.read_bytes() == one.read_bytes(), file
    # It was written part by part.
    assert pq.ParquetFile(home / "e" / "events.parquet").num_row_groups > 3
    # Nothing of what was made on the way is left.
    assert sorted(p.name for p in home.iterdir()) == ["d", "e"]


def test_nothing_is_left_of_a_log_that_is_refused(tmp_path, small):
    config = write(tmp_path, "parquet", impressions={"max_rejected": 0})
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(InputError, match=r"at most 0 % of the impressions .*"):
        prepare_table(config, home / "d")
    assert list(home.iterdir()) == []


def test_lines_of_later_batches_are_told(tmp_path, small):
    config = write(tmp_path, "parquet")
    prepare_table(config, tmp_path / "d")
    rejects = pq.read_table(tmp_path / "d" / "rejects.parquet").to_pylist()
    lines = [r["line"] for r in rejects if r["source"] == "events.parquet"]
    ads = tables()["events"]["ad"].to_pylist()
    assert lines == [n for n, ad in enumerate(ads, 1) if ad == "nowhere"]
