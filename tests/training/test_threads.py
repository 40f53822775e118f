"""What is equal byte by byte, on however many threads it was made."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from tests import processes
from tests.data import tiny_encoder

CONFIG = """
ads: {file: ads.csv, ad_id: id, title: name, features: {price: number}}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
  clicked: clicked, features: {hour: category}}
events: {file: log.csv, where: {clicked: "1"}, user_id: user, ad_id: ad,
  timestamp: time, event_type: {constant: click}}
"""
WORK = """
import pathlib
import sys

from tfadrec import data, training
from tfadrec.core.config import RunConfig
from tfadrec.data.sources import prepare_table
from tfadrec.layers.text.load_encoder import load_encoder

folder, out = map(pathlib.Path, sys.argv[1:])
prepare_table(folder / "t.yaml", out / "data")
config = RunConfig.from_yaml((folder / "run.yaml").read_bytes())
training.train(out / "data", config, out / "run", progress=False)
data.encode_catalogue(
    out / "data",
    out / "vectors",
    data.Tokenizer.from_pretrained(folder / "model", max_tokens=12),
    load_encoder(folder / "model"),
)
"""
#: Steps that are large enough to be shared by threads.
RUN = """
text: null
encoder: {class: DIN}
fit: {batch_size: 2048, epochs: 1, steps_per_epoch: 4}
"""
_MADE = ("data", "vectors", "run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("threads")
    (made / "t.yaml").write_text(CONFIG)
    (made / "run.yaml").write_text(RUN)
    tiny_encoder.write_model(made / "model")
    rows = [
        f"u{n % 97},a{n % 41},{1600000000 + 60 * n},{n % 3 // 2},{n // 60 % 24}"
        for n in range(8000)
    ]
    log = ["user,ad,time,clicked,hour", *rows]
    (made / "log.csv").write_text("\n".join(log))
    ads = [f"a{n},{'abcdefgh'[n % 8]} b,{n}" for n in range(41)]
    (made / "ads.csv").write_text("\n".join(["id,name,price", *ads]))
    return made


def made_on(folder, intra, others):
    """The sums of all files that are made on so many threads."""
    out = folder / f"{intra}-{others}"
    done = subprocess.run(
        [sys.executable, "-c", WORK, folder, out],
        capture_output=True,
        text=True,
        cwd=processes.ROOT,
        check=False,
        env={
            **os.environ,
            "PYTHONHASHSEED": others,
            "OMP_NUM_THREADS": others,  # those of Arrow
            "TF_NUM_INTEROP_THREADS": others,
            "TF_NUM_INTRAOP_THREADS": intra,
            "TFADREC_CACHE": str(out / "cache"),
        },
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for part in _MADE
        for path in sorted((out / part).rglob("*"))
        if path.is_file() and "tensorboard" not in path.parts
    }


@pytest.mark.slow
def test_files_are_equal_whatever_the_threads(folder):
    """But for weights that were learned on another number of threads of an op.

    Sums of float32 depend on their order, and TensorFlow has a part for each
    thread: in the gradients of biases, in products of a long matrix with a
    vector, and in normalisations.
    """
    first = made_on(folder, "1", "1")
    again = made_on(folder, "1", "2")
    where = {"run/run.json", "run/manifest.json"}  # tell where the dataset is
    assert {"run/model.keras", "run/state.json", "data/events.parquet"} <= set(
        first
    )
    assert _others(first, where) == _others(again, where)
    more = made_on(folder, "2", "2")
    run = {name for name in first if name.startswith("run/")}
    assert _others(first, run) == _others(more, run)
    one, other = (
        json.loads((folder / name / "run/state.json").read_text())
        for name in ("1-1", "2-2")
    )
    assert _numbers(one) == pytest.approx(_numbers(other), abs=1e-3)


def _others(sums, left_out):
    return {name: sum for name, sum in sums.items() if name not in left_out}


def _numbers(told):
    """All numbers in a value, in their order."""
    if isinstance(told, dict | list):
        inner = told.values() if isinstance(told, dict) else told
        return [number for each in inner for number in _numbers(each)]
    return [told] if isinstance(told, float) else []
