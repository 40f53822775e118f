"""Inputs that broke an earlier version: one line, and nothing is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from tfadrec.cli import main

ADS = "ads: {file: ads.csv, ad_id: id, title: name}\n"
LOG = (
    "impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time, "
    "clicked: click}\n"
)
PARQUET = LOG.replace("log.csv", "log.parquet")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ads.csv").write_text("id,name\na0,T0\na1,T1\n")
    (tmp_path / "log.csv").write_text(
        "user,ad,time,click\nu,a0,1600000000,1\nv,a1,1600000060,0\n"
    )
    (tmp_path / "t.yaml").write_text(ADS + LOG)
    return tmp_path


def prepare(folder, out="out", config="t.yaml"):
    out = out if not out or os.path.isabs(out) else folder / out
    return CliRunner().invoke(
        main,
        [
            "prepare",
            "table",
            "--config",
            f"{folder}/{config}",
            "--out",
            f"{out}",
        ],
    )


def one_line(result, *words):
    """Checks that a call was refused in one line that holds some words."""
    assert result.exit_code == 2, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert len(lines[0]) < 5000
    for word in words:
        assert word in lines[0]


def log(folder, **columns):
    (folder / "t.yaml").write_text(ADS + PARQUET)
    whole = {
        "user": ["u", "v"],
        "ad": ["a0", "a1"],
        "time": [1600000000, 1600000060],
        "click": [1, 0],
    }
    pq.write_table(pa.table(whole | columns), folder / "log.parquet")


def test_lone_line_ends_with_blank_lines(folder):
    for name in ("ads.csv", "log.csv"):
        text = (folder / name).read_text().replace("\n", "\r\r")
        (folder / name).write_bytes(text.encode())
    result = prepare(folder)
    assert result.exit_code == 0
    assert "2 impressions read = 2 kept + 0 rejected" in result.stdout


def test_plus_before_an_integer(folder):
    loose = LOG.replace("}", ", max_rejected: 0.5}")
    (folder / "t.yaml").write_text(f"user_id_type: int64\n{ADS}{loose}")
    (folder / "log.csv").write_text(
        "user,ad,time,click\n+447911123456,a0,1600000000,1\n"
        "9223372036854775807,a1,+1600000000,0\n"
        "9223372036854775808,a1,1600000000,0\n"
    )
    assert prepare(folder).exit_code == 0
    users = pq.read_table(folder / "out" / "impressions.parquet")["user_id"]
    assert sorted(users.to_pylist()) == [447911123456, 2**63 - 1]


def test_a_uuid_that_was_clicked(folder):
    log(folder, click=pa.array([uuid.uuid4().bytes] * 2, pa.uuid()))
    one_line(prepare(folder), "click is not 0 or 1")


def test_histories_of_bytes_that_are_no_text(folder):
    log(folder, h=pa.array([[b"a0"], [b"\xff"]], pa.list_(pa.binary())))
    (folder / "t.yaml").write_text(
        ADS + PARQUET[:-2] + ", history: h, max_rejected: 0.5}\n"
    )
    result = prepare(folder)
    assert result.exit_code == 0
    assert "2 impressions read = 1 kept + 1 rejected" in result.stdout


def test_times_at_the_ends(folder):
    log(folder, time=pa.array([-(2**63), 2**63 - 1]).view(pa.timestamp("us")))
    one_line(prepare(folder), "time is not in seconds from 1970 to 9999")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", pa.array([1 - 2**63, 2**63 - 1], pa.duration("ns"))),
        ("number", pa.array([1, 2], pa.time64("ns"))),
        ("vector", pa.array([-(2**31), 2**31 - 1], pa.int32()).view("date32")),
    ],
    ids=["duration", "time", "date"],
)
def test_features_that_python_has_no_values_of(folder, kind, values):
    log(folder, f=values)
    (folder / "t.yaml").write_text(
        ADS + PARQUET[:-2] + f", features: {{f: {kind}}}}}\n"
    )
    one_line(prepare(folder), "none of which can, such as ")


BOMB = "user_id_type: [&a0 [x, x, x, x, x, x, x, x, x]" + "".join(
    f", &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"{BOMB}, *a11]\n{ADS}{LOG}", "at most 100,000 values"),
        (f"name: {'9' * 5000}\n{ADS}{LOG}", "in line 1"),
        (f"name: 2020-13-45\n{ADS}{LOG}", "'2020-13-45' in line 1"),
        (f"name: a\n{ADS}{LOG}name: b\n", "the key 'name' twice"),
        (f"name: {'[' * 500}\n{ADS}{LOG}", "at most 50 levels"),
        (f"name: {'x' * 2_000_000}\n{ADS}{LOG}", "1,048,576 bytes"),
        (f"- {'x' * 500_000}\n", "Received: list"),
        (f"ads: {'x' * 500_000}\n{LOG}", "ads must hold keys and values"),
        (
            f"{ADS}{LOG.replace(', clicked: click', '')}"
            "sampling: {negatives_per_positive: 1000000000000}",
            "from 1 to 1000. Received: 1000000000000",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_configurations(folder, text, word):
    (folder / "t.yaml").write_text(text)
    one_line(prepare(folder), word)
    assert not (folder / "out").exists()


def test_a_configuration_that_is_no_text(folder):
    (folder / "t.yaml").write_bytes(b"name: \xff\n" + (ADS + LOG).encode())
    one_line(prepare(folder), "t.yaml", "invalid start byte")


@pytest.mark.parametrize(
    "file",
    ["pipe", "/dev/zero", "~no-such-user-here/x.csv", '"data:,id"', '"a\\0b"'],
)
def test_files_that_are_none(folder, file):
    os.mkfifo(folder / "pipe")
    (folder / "t.yaml").write_text(ADS.replace("ads.csv", file) + LOG)
    one_line(prepare(folder))


def test_a_configuration_that_never_ends(folder):
    os.mkfifo(folder / "pipe.yaml")
    one_line(prepare(folder, config="pipe.yaml"), "no regular file")


def test_an_out_without_a_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    before = sorted(os.listdir(folder))
    one_line(prepare(folder, ""), "has a name")
    one_line(prepare(folder, str(folder)), "takes the place of a dataset")
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("command", ["train", "pretrain", "tune"])
def test_every_writer_has_a_folder_of_its_own(folder, monkeypatch, command):
    """Not the current one, not that of its inputs, and not one of others."""
    assert prepare(folder, "data").exit_code == 0
    (folder / "file").write_text("mine")
    before = sorted(folder.rglob("*"))
    monkeypatch.chdir(folder)
    for out, words in (
        ("", "has a name"),
        (".", "also holds"),
        ("data", "which is a dataset"),
        ("file", "which is a file"),
        ("file/deeper", "leads through one"),
        ("s3://bucket/x", "a local folder"),
    ):
        arguments = [command, "--data", "data", "--out", out]
        one_line(CliRunner().invoke(main, arguments), words)
    assert sorted(folder.rglob("*")) == before


def test_a_folder_of_another_program(folder):
    (folder / "work").mkdir()
    schema = folder / "work" / "schema.json"
    schema.write_text('{"$schema": "https://json-schema.org"}')
    one_line(prepare(folder, "work"), "schema.json")
    (folder / "work" / "thesis.docx").write_text("years")
    one_line(prepare(folder, "work"))
    assert sorted(os.listdir(schema.parent)) == ["schema.json", "thesis.docx"]


def test_a_dataset_with_a_run_in_it(folder):
    assert prepare(folder).exit_code == 0
    (folder / "out" / "run").mkdir()
    (folder / "out" / "run" / "model.keras").write_text("weights")
    one_line(prepare(folder), "run/model.keras")
    assert (folder / "out" / "run" / "model.keras").exists()
    shutil.rmtree(folder / "out" / "run")
    assert prepare(folder).exit_code == 0


def test_a_link_to_a_dataset(folder):
    assert prepare(folder, "real").exit_code == 0
    (folder / "link").symlink_to("real")
    with (folder / "log.csv").open("a") as file:
        file.write("w,a0,1600000120,1\n")
    assert prepare(folder, "link").exit_code == 0
    assert (folder / "link").is_symlink()
    assert len(pq.read_table(folder / "real" / "impressions.parquet")) == 3


SCRIPT = """
import os, sys
from tfadrec.core import owned_folder
rename, exchange = os.rename, owned_folder.exchange
def interrupt(call):
    def interrupted(*arguments):
        call(*arguments)
        raise KeyboardInterrupt
    return interrupted
if sys.argv[1] == "exchange":
    owned_folder.exchange = interrupt(exchange)
else:
    owned_folder.exchange = lambda *arguments: False
    os.rename = interrupt(rename)
from tfadrec.cli import main
main(sys.argv[2:], standalone_mode=False)
"""


@pytest.mark.parametrize("step", ["exchange", "rename"])
def test_an_interrupt_in_the_middle_loses_nothing(folder, step):
    assert prepare(folder).exit_code == 0
    done = subprocess.run(
        [
            *(sys.executable, "-c", SCRIPT, step, "prepare", "table"),
            *("--config", folder / "t.yaml", "--out", folder / "out"),
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode in (1, 130, -signal.SIGINT), done.stderr
    names = set(
        json.loads((folder / "out" / "manifest.json").read_text())["files"]
    )
    assert all((folder / "out" / name).is_file() for name in names)
    assert prepare(folder).exit_code == 0
    hidden = [name for name in os.listdir(folder) if name.startswith(".")]
    assert not hidden


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from tfadrec.cli import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize("most", [0, 100, 1500])
def test_a_disk_that_is_full_keeps_the_old_dataset(folder, most):
    """A limit on the size of files stands for the disk."""
    assert prepare(folder).exit_code == 0
    before = (folder / "out" / "manifest.json").read_bytes()
    done = subprocess.run(
        [
            *(sys.executable, "-c", LIMITED, str(most), "prepare", "table"),
            *("--config", folder / "t.yaml", "--out", folder / "out"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "must be writable to its folder" in done.stderr
    assert (folder / "out" / "manifest.json").read_bytes() == before
    hidden = [name for name in os.listdir(folder) if name.startswith(".")]
    assert not hidden
