import bz2
import gzip
import io
import lzma
import pickle
import random
import sqlite3
import tarfile
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.intake.looks_like import looks_like
from tfadrec.data.intake.read_table import read_table

TABLE = pa.table({"id": ["a", "b"]})


def made(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def archive(name, text="x"):
    def write(file):
        with zipfile.ZipFile(file, "w") as folder:
            folder.writestr(name, text)

    return made(write)


def tar(file):
    with tarfile.open(fileobj=file, mode="w") as folder:
        folder.addfile(tarfile.TarInfo("x"))


def database():
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table t (x)")
        return connection.serialize()


KINDS = {
    "a ZIP archive": archive("log.csv"),
    "an Excel file": archive("xl/workbook.xml"),
    "a Word document": archive("word/document.xml"),
    "an OpenDocument": archive(
        "mimetype", "application/vnd.oasis.opendocument.spreadsheet"
    ),
    "RTF": b"{\\rtf1\\ansi user,ad\\par a,b}",
    "LZ4": b'\x04"M\x18d@\xa7' + bytes(9),
    "Snappy": b"\xff\x06\0\0sNaPpY" + bytes(9),
    "a Stata": b"<stata_dta><header><release>118</release>",
    "an SPSS": b"$FL2@(#) SPSS DATA FILE",
    "a file of R": b"RDX3\nX\n" + bytes(9),
    "a MATLAB": b"MATLAB 5.0 MAT-file, Platform: GLNXA64",
    "encrypted Parquet": b"PARE" + bytes(99),
    "an archive of NumPy arrays": made(lambda f: np.savez(f, x=np.ones(1))),
    "an old Excel file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "a NumPy array": made(lambda f: np.save(f, np.ones(1))),
    "Arrow or Feather": made(lambda f: pa.feather.write_feather(TABLE, f)),
    "ORC": made(lambda f: pa.orc.write_table(TABLE, f)),
    "Parquet": made(lambda f: pq.write_table(TABLE, f)),
    "Avro": b"Obj\x01" + bytes(50),
    "a pickle": pickle.dumps({"id": ["a"]}),
    "an SQLite database": database(),
    "gzip": gzip.compress(b"id\na\n"),
    "bzip2": bz2.compress(b"id\na\n"),
    "an xz archive": lzma.compress(b"id\na\n"),
    "a tar archive": made(tar),
    "a PDF": b"%PDF-1.7\n%\xe2\xe3",
    "HTML": b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>",
    "HTML or XML": b"\xef\xbb\xbf<table><tr><td>id</td></tr></table>",
    "binary data, perhaps packed": zlib.compress(
        random.Random(0).randbytes(999)
    ),
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\n",
    "text in UTF-16": "id\na\n".encode("utf-16"),
    "binary data": "id,name\na,b\n".encode("utf-16-le"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_are_no_text(tmp_path, kind):
    path = tmp_path / "log.csv"
    path.write_bytes(KINDS[kind])
    with pytest.raises(InputError, match=f"which looks like {kind}") as caught:
        read_table(path, "impressions", ["id"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("log.parquet", "text"),
        ("log.csv.gz", "text"),
        ("log.csv.bz2", "text"),
        ("log.csv.gz", "bzip2"),
    ],
)
def test_files_that_are_not_what_their_name_says(tmp_path, file, kind):
    path = tmp_path / file
    path.write_bytes(KINDS.get(kind, b"id\na\n"))
    with pytest.raises(InputError, match=rf"looks like {kind}\. Let its"):
        read_table(path, "impressions", ["id"])


def test_parquet_that_is_cut_off(tmp_path):
    path = tmp_path / "log.parquet"
    path.write_bytes(KINDS["Parquet"][:-4])
    with pytest.raises(InputError, match="must be readable"):
        read_table(path, "impressions", ["id"])


@pytest.mark.parametrize(
    "text", ['{"id": "a"}\n{"id": "b"}\n', '[{"id": "a"}]', ' {\n"id": 1}']
)
def test_json_by_another_name(tmp_path, text):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"looks like JSON\. .* in \.jsonl"):
        read_table(path, "impressions", ["id"])


def test_parquet_by_name_alone(tmp_path):
    path = tmp_path / "log.parquet"
    path.write_bytes(KINDS["an Excel file"])
    with pytest.raises(InputError, match="which looks like an Excel file"):
        read_table(path, "impressions", ["id"])


@pytest.mark.parametrize(
    "text",
    [
        b"PARTNER,x\n1,2\n",
        b"PAR1,x\n1,2\n",
        b"ORC,x\n1,2\n",
        b"BZh1,x\n",
        b"PK,x\n",
        b"GIF89a,x\n",
        b"\x80uro,x\n",
        b"<b>,x\n",
        b"id\n\0\n",
        # Hive's delimiter, and a character that is cut off.
        "é\x01ü\n".encode() * 999 + "é".encode()[:1],
        "Größe,é\n".encode("latin-1"),
        b"",
    ],
)
def test_text_that_begins_like_something_else(text):
    assert looks_like(text) == ""


def test_text_that_is_said_to_be_utf_16():
    assert looks_like("id\n".encode("utf-16"), "utf-16") == ""
