import pyarrow as pa
import pytest

from tfadrec.core.errors import TfadrecError
from tfadrec.data.intake.ledger import Count, Ledger, as_rejects


def test_books_counts_and_rejects():
    ledger = Ledger()
    ledger.book(
        "a.csv",
        "ads",
        read=3,
        kept=2,
        rejects=[as_rejects("a.csv", [(7, "bad", "x" * 2000)])],
    )
    ledger.book("b.csv", "events", read=1, kept=1)
    assert ledger.counts == [
        Count("a.csv", "ads", 3, 2, 1),
        Count("b.csv", "events", 1, 1, 0),
    ]
    assert ledger.rejects().to_pylist() == [
        {"source": "a.csv", "line": 7, "reason": "bad", "row": "x" * 1000}
    ]


@pytest.mark.parametrize("is_piece", [False, True])
def test_of_a_piece_nothing_is_said_of_the_whole(is_piece):
    ledger = Ledger(is_piece=is_piece)
    ledger.note("two rows are odd")
    ledger.note_whole("all rows are odd")
    whole = [] if is_piece else ["all rows are odd"]
    assert ledger.notes == ["two rows are odd", *whole]


@pytest.mark.parametrize("kept", [1, 3])
def test_no_row_is_lost_or_made_up(kept):
    rejects = [as_rejects("a", [(1, "bad", "")])]
    with pytest.raises(
        TfadrecError,
        match=f"ads read must be ads kept .*: 3 read, {kept} kept, 1 rejected",
    ):
        Ledger().book("a", "ads", read=3, kept=kept, rejects=rejects)


def test_an_empty_ledger_has_the_contracts_columns():
    assert Ledger().rejects().schema == pa.schema(
        [
            ("source", pa.string()),
            ("line", pa.int64()),
            ("reason", pa.string()),
            ("row", pa.string()),
        ]
    )
