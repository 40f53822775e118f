"""Ten mistakes of new users: each ends in one line that names the mend.

None of them needs TensorFlow, which takes seconds to load: asked for it, a
command fails here. `test_in_a_process` holds the clock to two of them.
"""

import importlib
import json
import pathlib
import resource
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tests.training import small
from tfadrec.cli import main

ADS = "ads: {file: ads.csv, ad_id: id, title: name}\n"
LOG = (
    "impressions: {file: log.csv, user_id: user, ad_id: ad, "
    "timestamp: {column: time, format: '%Y-%m-%d %H:%M'}, clicked: click}\n"
)
TABLE = ADS + LOG


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a log, a dataset, a run, a bundle and a search."""
    monkeypatch.chdir(tmp_path)
    rows = [
        f"u{n % 7},a{n % 2},2021-03-{1 + n % 28:02d} 10:00,{n % 3 == 0:d},{n}"
        for n in range(60)
    ]
    text = "\n".join(["user,ad,time,click,stars", *rows, ""])
    pathlib.Path("log.csv").write_text(text)
    pathlib.Path("ads.csv").write_text("id,name\na0,shoes\na1,phone\n")
    shutil.copytree(small.world(), "data")
    shutil.copytree(small.run_folder(), "run")
    pathlib.Path("bundle", "1").mkdir(parents=True)
    pathlib.Path("bundle", "1", "saved_model.pb").touch()
    pathlib.Path("photos").mkdir()
    pathlib.Path("photos", "cat.jpg").write_text("mine")
    return tmp_path


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch):
    """A command may not begin what takes seconds."""
    for name in (
        "encode_ads",
        "evaluate",
        "export",
        "recommend",
        "serve",
        "train",
        "tune",
    ):
        module = importlib.import_module(f"tfadrec.cli.{name}")
        monkeypatch.setattr(module, "load_tensorflow", _asked_for)


def _asked_for():
    pytest.fail("the command was about to load TensorFlow")


def settings(text):
    return {"config.yaml": f"text: null\n{text}"}


def table(old="", new="", **files):
    assert old in TABLE
    return {"table.yaml": TABLE.replace(old, new), **files}


PREPARE = "prepare table --config table.yaml --out out"
TRAIN = "train --data data --config config.yaml --out out"
ODD_ADS = {"ads.csv": "id,name\na0,shoes\nb7,phone\n"}

#: What was done -> files, the command, and words of the line.
MISTAKES = {
    "a column by another name": (
        table("user_id: user", "user_id: usr"),
        PREPARE,
        ["log.csv must have the column 'usr'", "Did you mean user?"],
    ),
    "a key of the mapping mistyped": (
        table("clicked:", "cliked:"),
        PREPARE,
        ["'cliked'", "Did you mean clicked?"],
    ),
    "times in another format": (
        table("%Y-%m-%d", "%d.%m.%Y"),
        PREPARE,
        ["time is no time that can be read as '%d.%m.%Y %H:%M'"],
    ),
    "a label that is a rating": (
        table("clicked: click", "clicked: stars"),
        PREPARE,
        ["'stars is not 0 or 1'", "such as in line"],
    ),
    "ads that the catalogue lacks": (
        table() | ODD_ADS,
        PREPARE,
        ["'ad id is not in the catalogue'", "impressions.max_rejected: 0.5"],
    ),
    "another dataset to be like": (
        table(),
        f"{PREPARE} --like data",
        ["the features must be those of data", "Add them"],
    ),
    "a section mistyped": (
        settings("encodr: {class: DIN}"),
        TRAIN,
        ["'encodr'", "Did you mean encoder?"],
    ),
    "a setting beside the sections": (
        settings("losses: {clicked: softmax}"),
        TRAIN,
        ["'losses' beside the sections", "Write `ranker: {losses: …}`"],
    ),
    "a class mistyped": (
        settings("encoder: {class: DINN}"),
        TRAIN,
        ["one of BST, DIEN, DIN", "class='DINN'", "Did you mean DIN?"],
    ),
    "a setting mistyped": (
        settings("optimizer: {class: LazyAdam, lr: 0.01}"),
        TRAIN,
        ["`optimizer` (LazyAdam) takes", "Did you mean learning_rate?"],
    ),
    "a setting of another library": (
        settings("fit: {class_weight: {0: 1, 1: 9}}"),
        TRAIN,
        ["`fit` takes ensemble", "Received: class_weight"],
    ),
    "a value out of range": (
        settings("ranker: {dropout: 20}"),
        TRAIN,
        ["`ranker.dropout` must be a number in [0, 1)", "dropout=20"],
    ),
    "a value of another type": (
        settings("optimizer: {class: Adam, learning_rate: fast}"),
        TRAIN,
        ["`optimizer.learning_rate` must be a number", "'fast'"],
    ),
    "one of a few values mistyped": (
        settings("fit: {monitor: auc}"),
        TRAIN,
        ["must be one of val_auc", "Did you mean val_auc?"],
    ),
    "a language model mistyped": (
        {"config.yaml": "text: {model: minillm}"},
        TRAIN,
        ["'minillm'", "Did you mean minilm?"],
    ),
    "a loss mistyped": (
        settings("ranker: {losses: {clicked: binaryy}}"),
        TRAIN,
        ["each value one of binary, squared,", "'binaryy'", "mean binary?"],
    ),
    "a label that the dataset lacks": (
        settings("ranker: {tasks: [purchased]}"),
        TRAIN,
        ["labels of the dataset, of clicked, converted", "purchased"],
    ),
    "a kind of ads that the dataset lacks": (
        settings("ad_tower: {category: brand}"),
        TRAIN,
        ["one of category", "category='brand'"],
    ),
    "a dataset mistyped": (
        settings(""),
        TRAIN.replace("--data data", "--data dta"),
        ["a dataset is a folder", "Did you mean data?"],
    ),
    "a log in place of a dataset": (
        settings(""),
        TRAIN.replace("--data data", "--data log.csv"),
        ["a dataset is a folder", "tfadrec prepare"],
    ),
    "a run begun with other settings": (
        settings(""),
        TRAIN.replace("--out out", "--out run"),
        ["begun with other settings", "Name another folder"],
    ),
    "a choice mistyped": (
        {"space.yaml": "encoder: {class: {choice: [DIN, BTS]}}"},
        "tune --data data --space space.yaml --out out",
        ["class='BTS'", "Did you mean BST?"],
    ),
    "a choice out of range": (
        {"space.yaml": "ad_tower: {width: {int: {min: 0, max: 8}}}"},
        "tune --data data --space space.yaml --out out",
        ["`ad_tower.width` must be an integer >= 1", "width=0"],
    ),
    "a run served": (
        {},
        "serve run",
        ["Received: run, a run. Write one with `tfadrec export run --out"],
    ),
    "a version served": ({}, "serve bundle/1", ["a version. Name bundle."]),
    "a dataset evaluated": ({}, "evaluate data", ["is a dataset", "train"]),
    "a bundle evaluated": ({}, "evaluate bundle", ["it is a bundle"]),
    "a run mistyped": ({}, "recommend rn --user u1", ["Did you mean run?"]),
    "a run and its dataset evaluated": (
        {},
        "evaluate data run",
        ["is a dataset", "this with --data"],
    ),
    "an export over photos": (
        {},
        "export run --out photos",
        ["holds cat.jpg and no version", "--out"],
    ),
    "more ads that are not there": (
        {},
        "export run --catalogue add.csv",
        ["add.csv, which is not there", "Did you mean ads.csv?"],
    ),
    "a vector that ads do not have": (
        {},
        "export run --diversify nosuch",
        ["`diversify`, unless it is text, must be a feature", "'nosuch'"],
    ),
    "a bid that ads do not have": (
        {},
        "export run --bid cpc",
        ["a bid must be a feature of ads of kind number", "'cpc'"],
    ),
    "gates that are not there": (
        {},
        "promote bundle --data data --gates gates.yaml",
        ["a file of gates is a YAML file", "gates.yaml, which is none"],
    ),
    "a way of pooling mistyped": (
        {},
        "encode-ads --data data --pooling average --out out",
        ["one of mean, cls, last_token, attention", "average"],
    ),
    "vectors over photos": (
        {},
        "encode-ads --data data --out photos",
        ["photos", "cat.jpg"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_line_names_the_mend(place, mistake):
    files, command, words = MISTAKES[mistake]
    for name, text in files.items():
        pathlib.Path(name).write_text(text)
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    for word in words:
        assert word in line
    assert not pathlib.Path("out").exists()
    assert (place / "photos" / "cat.jpg").read_text() == "mine"


def test_a_dataset_that_was_moved(place):
    record = json.loads(pathlib.Path("run", "run.json").read_text())
    record["data"] = str(place / "gone")
    small.rewrite("run", "run.json", json.dumps(record))
    result = CliRunner().invoke(main, ["evaluate", "run"])
    (line,) = result.stderr.splitlines()
    assert "which is not there" in line
    assert "--data" in line


@pytest.mark.parametrize(
    "ranker",
    [
        "{tasks: [converted]}",
        "{losses: {clicked: ziln}}",
        "{losses: {clicked: {class: huber, delta: 2.0}}}",
        "{losses: {clicked: {squared: 1.0, huber: 0.3}}}",
    ],
)
def test_an_export_without_click_probabilities(place, ranker):
    record = json.loads(pathlib.Path("run", "run.json").read_text())
    record["config"] = f"text: null\nranker: {ranker}\n"
    small.rewrite("run", "run.json", json.dumps(record))
    result = CliRunner().invoke(main, ["export", "run", "--out", "out"])
    (line,) = result.stderr.splitlines()
    assert "a bundle answers with click probabilities" in line
    assert result.exit_code == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "mistake",
    [
        "a column by another name",
        "times in another format",
        "ads that the catalogue lacks",
        "a class mistyped",
        "a setting mistyped",
        "a value out of range",
        "a language model mistyped",
        "a choice mistyped",
        "a dataset evaluated",
        "an export over photos",
        "a vector that ads do not have",
    ],
)
def test_in_a_process(place, mistake):
    """Within three seconds: of processor time, as other work may go on."""
    files, command, words = MISTAKES[mistake]
    for name, text in files.items():
        pathlib.Path(name).write_text(text)
    used = _children_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "tfadrec", *command.split()],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert all(word in line for word in words)
    assert _children_seconds() - used < 3


def _children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
