"""What a file is, told by its first bytes."""

import codecs
import re

#: How many bytes are looked at.
_HEAD = 4096
#: A text of this length or more that is this full of zero bytes is none, nor is
#: one that is no UTF-8 and this full of control characters: noise has 11 %.
_SHORTEST, _MOST_ZEROS, _MOST_CONTROLS = 8, 0.25, 0.05
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\v\f\r")

#: (where, bytes, what it is and what to do), for formats with a signature.
_SIGNATURES = (
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Excel file; save it as CSV",
    ),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5; write it as Parquet or CSV"),
    (0, b"\x93NUMPY", "a NumPy array; write it as Parquet or CSV"),
    (0, b"ARROW1\0\0", "Arrow or Feather; write it as Parquet"),
    (0, b"FEA1", "Feather; write it as Parquet"),
    (0, b"Obj\x01", "Avro; write it as Parquet"),
    (0, b"SQLite format 3\0", "an SQLite database; write its table as CSV"),
    (0, b"%PDF-", "a PDF document; write its table as CSV"),
    (0, b"\x1f\x8b\x08", "gzip; let its name end in .gz"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard; let its name end in .zst"),
    (0, b"\xfd7zXZ\0", "an xz archive; unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it"),
    (0, b"Rar!\x1a\x07", "a RAR archive; unpack it"),
    (0, b'\x04"M\x18', "LZ4; unpack it"),
    (0, b"\xff\x06\0\0sNaPpY", "Snappy; unpack it"),
    (0, b"{\\rtf", "RTF, a text document; save its table as CSV"),
    (0, b"<stata_dta>", "a Stata file; write it as Parquet or CSV"),
    (0, b"$FL2@(#)", "an SPSS file; write it as Parquet or CSV"),
    (0, b"$FL3@(#)", "an SPSS file; write it as Parquet or CSV"),
    (0, b"RDX2\n", "a file of R; write it as Parquet or CSV"),
    (0, b"RDX3\n", "a file of R; write it as Parquet or CSV"),
    (0, b"MATLAB 5.0 MAT-file", "a MATLAB file; write it as Parquet or CSV"),
    (0, b"PARE", "encrypted Parquet; write it in the clear"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image; name a table"),
    (0, b"\xff\xd8\xff", "a JPEG image; name a table"),
    (0, b"version https://git-lfs", "a pointer of Git LFS; fetch the file"),
    (257, b"ustar", "a tar archive; unpack it"),
)
# Its first page begins with a field of Thrift.
_PARQUET = re.compile(rb"PAR1[\x00-\x08\x0e-\x1f]")
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x80-\x95}\](cX]")
_BZIP2 = re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")
_ORC = re.compile(rb"ORC(?s:.)*?[\x00-\x08]")
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<"
    rb"(!--|(!doctype\s+html|html|head|body|table|\?xml|svg)[\s>])",
    re.IGNORECASE,
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def looks_like(data: bytes, encoding: str = "utf-8") -> str:
    """What a file that should be a table of text is instead.

    Args:
      data: the file, or as much of its beginning as there is.
      encoding: how its text is said to be written.

    Returns:
      The format and what to do with it, or "" where it may be text.
    """
    head = data[:_HEAD]
    for start, signature, what in _SIGNATURES:
        if head[start:].startswith(signature):
            return what
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _archive(data)
    for pattern, what in (
        (_PARQUET, "Parquet; let its name end in .parquet"),
        (_BZIP2, "bzip2; let its name end in .bz2"),
        (_ORC, "ORC; write it as Parquet"),
        (_PICKLE, "a pickle of Python; write it as Parquet or CSV"),
        (_MARKUP, "HTML or XML; perhaps a page in the place of a download"),
    ):
        if pattern.match(head):
            return what
    if encoding == "utf-8":
        if head.startswith(_UTF16):
            return "text in UTF-16; give `encoding: utf-16`"
        if len(head) >= _SHORTEST and head.count(0) > _MOST_ZEROS * len(head):
            return "binary data, or text in UTF-16; give its `encoding`"
        if len(head) >= _SHORTEST and _is_noise(head):
            return "binary data, perhaps packed; write it as CSV or Parquet"
    return ""


def is_plain(head: bytes) -> bool:
    """Whether bytes have lines and no control characters, so may be text."""
    return len(head.splitlines()) > 1 and not set(head) & set(_CONTROLS)


def _is_noise(head: bytes) -> bool:
    """Whether bytes are no UTF-8, and too many of them control characters."""
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls <= _MOST_CONTROLS * len(head):
        return False
    try:
        # The last character may be cut off.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return True
    return False


def _archive(data: bytes) -> str:
    if b"xl/" in data[:_HEAD] or b"xl/workbook" in data:
        return "an Excel file; save it as CSV"
    if b"word/" in data[:_HEAD]:
        return "a Word document; save its table as CSV"
    if b"application/vnd.oasis.opendocument" in data[:_HEAD]:
        return "an OpenDocument file; save its table as CSV"
    if b".npy" in data[:_HEAD]:
        return "an archive of NumPy arrays; write them as Parquet or CSV"
    return "a ZIP archive; unpack it"
