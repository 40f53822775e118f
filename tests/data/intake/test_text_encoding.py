import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.read_table import read_table
from tfadrec.data.intake.text_encoding import check_encoding
from tfadrec.data.intake.text_parser import parse_text

TEXT = "näme,b\n„é“,€\n"


@pytest.mark.parametrize(
    "encoding",
    [
        "utf-8",
        "utf-8-sig",
        "UTF8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "cp1252",
        "gb18030",
    ],
)
def test_the_same_text_in_every_encoding(tmp_path, encoding):
    path = tmp_path / "log.csv"
    path.write_bytes(TEXT.encode(encoding))
    rows = read_table(path, "rows", ["näme"], encoding=encoding)
    assert rows.table.to_pydict() == {"näme": ["„é“"], "b": ["€"]}
    check_encoding(encoding, "x")


def test_a_byte_order_mark_in_utf_16_le():
    data = "\ufeffa\nx\n".encode("utf-16-le")
    rows = parse_text(data, "rows", ["a"], name="f", encoding="utf-16-le")
    assert rows["a"].to_pylist() == ["x"]


@pytest.mark.parametrize(
    ("data", "encoding", "kept", "reason"),
    [
        (b"a\nx\n\x81\ny\n", "cp1252", ["x", "y"], "not cp1252"),
        (b"a\nx\n\xff\ny\n", "ascii", ["x", "y"], "not ascii"),
        (
            b"a\0\n\0x\0\n\0\x00\xdc\n\0y\0\n\0",
            "utf-16-le",
            ["x", "y"],
            "not utf-16-le",
        ),
        (
            "a\nx\n\uffff\n".encode() + b"\xff\n",
            "utf-8",
            ["x", "\uffff"],
            "not UTF-8",
        ),
    ],
)
def test_rows_that_are_broken(data, encoding, kept, reason):
    rows = parse_text(data, "rows", ["a"], name="f", encoding=encoding)
    ledger = Ledger()
    mask = rows.settle(ledger)
    assert rows["a"].to_numpy()[mask].tolist() == kept
    (reject,) = ledger.rejects().to_pylist()
    assert (reject["reason"], reject["row"]) == (reason, "\ufffd")


@pytest.mark.parametrize(
    "encoding",
    ["utf-9", "", "rot13", "hex", "idna", "punycode", "undefined", "a\0b"],
)
def test_encodings_that_are_unknown(encoding):
    with pytest.raises(InputError, match="x must be an encoding of text that"):
        check_encoding(encoding, "x")


def split(text, delimiter, columns=("a", "b"), **settings):
    rows = parse_text(
        text.encode(),
        "rows",
        columns,
        name="f",
        delimiter=delimiter,
        **settings,
    )
    return rows.table.to_pydict(), rows.broken


@pytest.mark.parametrize("delimiter", ["::", "||", " | ", "\t\t", "é", "—→"])
def test_a_delimiter_of_several_characters(delimiter):
    text = 'a::b\n1::x:y\n"p::q"::"r\ns"\n3\n'.replace("::", delimiter)
    table, broken = split(text, delimiter)
    assert table == {"a": ["1", f"p{delimiter}q"], "b": ["x:y", "r\ns"]}
    assert broken == ((5, "1 fields instead of 2", "3"),)


def test_a_header_that_holds_the_delimiter():
    table, _ = split('"a::1"::b\n5::6\n', "::", ["a::1"])
    assert table == {"a::1": ["5"], "b": ["6"]}


def test_without_a_header():
    table, _ = split("1::Heat (1995)::5\n", "::", ["i", "t", "r"], header=False)
    assert table == {"i": ["1"], "t": ["Heat (1995)"], "r": ["5"]}


def test_a_character_that_a_text_holds_is_not_put_in_it():
    table, _ = split("a::b\n\x1f::\x1e\n", "::")
    assert table == {"a": ["\x1f"], "b": ["\x1e"]}


def test_a_text_with_every_control_character():
    text = "a::b\n" + "".join(map(chr, [*range(1, 32), 127])) + "::x\n"
    with pytest.raises(InputError, match="must leave one control character"):
        split(text, "::")
