"""Mutated files of every kind: a result, or one line of error, and no hang.

A mutation flips bits, cuts, repeats or inserts bytes of a file that is right.
"""

import io
import json
import pathlib
import random
import time
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tfadrec.cli import main
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.core.read_yaml import read_yaml
from tfadrec.core.safe_load import check_model
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.runs.record import read_record
from tfadrec.training.saved_state import read_history

ADS = b'id,name\na0,T0\na1,T1\na2,"a b"\n'
LOG = (
    b"user,ad,time,click,h\nu,a0,1600000000,1,a1 a2\n"
    b"v,a1,2020-01-01T00:00:00Z,0,\nu,a2,1600000060,1,a0\n"
)
TABLE = b"""name: shop
user_id_type: string
ads: {file: ads.csv, ad_id: id, title: name}
impressions:
  file: LOG
  user_id: user
  ad_id: ad
  timestamp: time
  clicked: click
  history: {column: h, separator: " "}
  features: {hour: {kind: number, column: time, log1p: true}}
"""
ODD = [
    *(b"\0", b"\xff", b"\r", b"\n", b'"', b",", b"\xef\xbf\xbf", b"[", b"{"),
    *(b"&a ", b"*a", b"!!int ", b": ", b"- ", b"9" * 40, b"-", b"+", b"1e999"),
    *(b"null", b"~", b"2020-13-45", b"\xed\xa0\x80", b"%", b"|", b"<<: "),
]


def mutated(content, chance):
    content = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        at = chance.randrange(len(content) + 1)
        way = chance.randrange(5)
        if way == 0 and at < len(content):
            content[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            del content[at : at + chance.choice([1, 4, 30])]
        elif way == 2:
            content[at:at] = content[at : at + 20] * chance.choice([1, 5])
        elif way == 3:
            content[at:at] = chance.choice(ODD)
        else:
            content[at : at + 4] = chance.randbytes(4)
    return bytes(content)


def parquet():
    table = pa.table(
        {
            "user": pa.array(["u", "v", "u"]).dictionary_encode(),
            "ad": pa.array([b"a0", b"a1", b"a2"]),
            "time": pa.array([1, 2, 3], pa.timestamp("ms", "UTC")),
            "click": pa.array([True, False, None]),
            "h": pa.array([["a1"], None, ["a0", "a2"]]),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def assert_one_line(error):
    assert "\n" not in str(error)
    assert len(str(error)) < 10_000


def prepare(folder, which, kind, chance):
    """Mutates one of the three files of a table source."""
    files = {
        "t.yaml": TABLE.replace(b"LOG", b"log." + kind),
        "ads.csv": ADS,
        "log.csv": LOG,
        "log.parquet": parquet(),
    }
    files[which] = mutated(files[which], chance)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    result = CliRunner().invoke(
        main,
        [
            *("prepare", "table", "--config", str(folder / "t.yaml")),
            *("--out", str(folder / "out"), "--json"),
        ],
    )
    assert result.exit_code in (0, 1, 2)
    if result.exit_code:
        assert isinstance(result.exception, SystemExit), files[which]
        assert len(result.stderr.splitlines()) == 1
        assert_one_line(result.stderr.strip())
    else:
        json.loads(result.stdout.splitlines()[-1])


def table_yaml(folder, chance):
    prepare(folder, "t.yaml", b"csv", chance)


def csv(folder, chance):
    prepare(folder, "log.csv", b"csv", chance)


def parquet_log(folder, chance):
    prepare(folder, "log.parquet", b"parquet", chance)


def yaml(folder, chance):
    del folder
    try:
        read_yaml(mutated(TABLE, chance))
    except InputError as error:
        assert_one_line(error)


def dataset(folder, chance):
    """One file of a folder with a manifest, the manifest included."""
    with OwnedFolder(folder / "d", "dataset").replacing() as fresh:
        (fresh / "schema.json").write_text('{"version": 2}')
        (fresh / "ads.parquet").write_bytes(parquet())
    name = chance.choice(["manifest.json", "schema.json", "ads.parquet"])
    file = folder / "d" / name
    before = file.read_bytes()
    file.write_bytes(mutated(before, chance))
    try:
        files = DatasetFiles(folder / "d")
        files.read("schema.json")
        assert files.table("ads").num_rows == 3
    except InputError as error:
        assert_one_line(error)
    try:
        OwnedFolder(folder / "d", "dataset").check()
    except InputError as error:
        assert_one_line(error)
    file.write_bytes(before)


def run_files(folder, chance):
    record = {"data": "d", "fingerprint": "f", "config": "fit: {epochs: 3}"}
    epoch = {"loss": 0.5, "val_auc": 0.7}
    for name, content, read in (
        ("run.json", record, read_record),
        ("state.json", {"history": [epoch, epoch]}, read_history),
    ):
        data = json.dumps(content).encode()
        (folder / name).write_bytes(mutated(data, chance))
        try:
            read(folder)
        except InputError as error:
            assert_one_line(error)


def model(folder, chance):
    source = pathlib.Path(__file__).parent / "training/version_1/run"
    with zipfile.ZipFile(source / "model.keras") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    if chance.randrange(2):
        # With right checksums, as somebody would craft it.
        name = chance.choice(sorted(held))
        held[name] = mutated(held[name], chance)
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    file = folder / "model.keras"
    if chance.randrange(2):
        file.write_bytes(mutated(file.read_bytes(), chance))
    try:
        check_model(file)
    except InputError as error:
        assert_one_line(error)


@pytest.mark.parametrize(
    ("kind", "times"),
    [
        (yaml, 700),
        (table_yaml, 50),
        (csv, 50),
        (parquet_log, 50),
        (dataset, 100),
        (run_files, 100),
        (model, 35),
    ],
)
@pytest.mark.parametrize("scale", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_mutations(tmp_path, kind, times, scale):
    chance = random.Random(f"{kind.__name__} {scale}")
    for _ in range(times * scale):
        begun = time.process_time()
        try:
            kind(tmp_path, chance)
        except TfadrecError as error:
            pytest.fail(str(error))
        assert time.process_time() - begun < 10
