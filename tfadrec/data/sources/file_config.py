"""How a file is written, in the YAML file of a table source."""

from collections.abc import Mapping
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.data.intake.row_filter import read_filters
from tfadrec.data.intake.text_encoding import check_encoding
from tfadrec.data.sources.table_spec import MAX_REJECTED, TableSpec

FILE_KEYS = (
    "file",
    "delimiter",
    "encoding",
    "columns",
    "quoting",
    "decimal",
    "where",
    "max_rejected",
)


def read_file_settings(
    section: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """The settings of a section's file, as arguments of `TableSpec`.

    Raises:
      InputError: where one is not what it must be.
    """
    delimiter = section.get("delimiter")
    if delimiter is not None and (
        not isinstance(delimiter, str)
        or not delimiter
        or set(delimiter) & set('"\n\r\0')
    ):
        raise InputError(
            f"{where}.delimiter must be characters other than quotes and line "
            f"ends. Received: {delimiter!r}. Correct it."
        )
    encoding = section.get("encoding")
    if encoding is not None:
        encoding = str(encoding)
        check_encoding(encoding, f"{where}.encoding")
    quoting = section.get("quoting", True)
    if not isinstance(quoting, bool):
        raise InputError(
            f"{where}.quoting must be true or false. Received: {quoting!r}. "
            "Write one of these."
        )
    decimal = section.get("decimal", ".")
    if decimal not in (".", ","):
        raise InputError(
            f'{where}.decimal must be "." or ",", what stands before the '
            f"decimals of numbers. Received: {decimal!r}. Write one of these."
        )
    return {
        "decimal": decimal,
        "delimiter": delimiter,
        "encoding": encoding,
        "quoting": quoting,
        "header": _header(section.get("columns"), where),
        "where": read_filters(section.get("where"), f"{where}.where"),
        "max_rejected": read_share(
            section.get("max_rejected", MAX_REJECTED), f"{where}.max_rejected"
        ),
    }


def read_share(value: Any, where: str) -> float:
    """A share of rows.

    Raises:
      InputError: where it is no number in [0, 1].
    """
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise InputError(
            f"{where} must be a share in [0, 1]. Received: {value!r}. Write "
            "0.2 where one row in five may be refused."
        )
    return float(value)


def check_header(spec: TableSpec, where: str) -> None:
    """Refuses a name that the given header does not have.

    Raises:
      InputError: where there is one.
    """
    missing = [name for name in spec.wanted() if name not in spec.header]
    if spec.header and missing:
        raise InputError(
            f"{where} must name columns that `columns` lists. Received: "
            f"{missing[0]!r}, and the columns {', '.join(spec.header)}. "
            "Correct one of them."
        )


def _header(names: Any, where: str) -> tuple[str, ...]:
    if names is None:
        return ()
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(name, str) and name for name in names)
        or len(set(names)) < len(names)
    ):
        raise InputError(
            f"{where}.columns must list the names of all columns of a file "
            f"without a header, each name once. Received: {names!r}. Write "
            "[user, item, rating, time]."
        )
    return tuple(names)
