"""Public logs: prepare, train, evaluate, export and a served answer.

The examples' YAML is used as it is, on part of the rows. The settings are the
defaults, with a language model of random weights and a few steps.
"""

import json
import urllib.request

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from tests import public_logs
from tests.serving import servers
from tests.test_end_to_end import call, make_bert

#: Rows of a log that are kept, about.
_ROWS = 12_000
#: Example -> the column whose rows have to stay together.
LOGS = {
    "amazon_industrial": "request_id",
    "lastfm": "userID",
    "online_retail": "InvoiceNo",
    "open_bandit": "user_feature_3",
    "upworthy": "test_id",
}
CONFIG = {
    "fit": {"batch_size": 256, "epochs": 2, "steps_per_epoch": 20},
    "data": {"history_length": 10},
}


def shortened(source, target, column):
    """Writes every n-th group of rows; what has no such groups stays whole."""
    table = pq.read_table(source)
    step = len(table) // _ROWS
    if column in table.column_names and step > 1:
        groups = table[column].combine_chunks().dictionary_encode().indices
        table = table.filter(np.asarray(groups) % step == 0)
    pq.write_table(table, target)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOGS)
def test_a_log_goes_the_whole_way(name, tmp_path):
    text, files = public_logs.example(name)
    for file in files:
        shortened(public_logs.DATA / file, tmp_path / file, LOGS[name])
    make_bert(tmp_path / "bert")
    model = {"model": str(tmp_path / "bert"), "max_tokens": 16}
    (tmp_path / "log.yaml").write_text(text, "utf-8")
    (tmp_path / "run.yaml").write_text(
        yaml.safe_dump({**CONFIG, "text": model})
    )
    data, run = tmp_path / "data", tmp_path / "run"
    bundles = tmp_path / "bundles"

    prepared = call(
        "prepare", "table", "--config", tmp_path / "log.yaml", "--out", data
    )
    for count in prepared["counts"]:
        assert count["read"] == count["kept"] + count["left_out"]
    config = tmp_path / "run.yaml"
    trained = call("train", "--data", data, "--config", config, "--out", run)
    assert len(trained["history"]) == 2
    found = call("evaluate", run)
    assert found["metrics"]["clicked"]["count"] == found["rows"]["rows"] > 100
    assert {"constant", "popularity", "smoothed rate"} < set(found["baselines"])
    assert np.isfinite(found["metrics"]["clicked"]["log_loss"])
    call("export", run, "--out", bundles)

    request = json.loads((bundles / "request.json").read_text())
    slate = np.shape(request["inputs"]["candidate_ads"])
    with servers.preview(bundles, rest_only=True) as server:
        asked = urllib.request.Request(
            f"{server.url}:predict",
            json.dumps(request).encode(),
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            outputs = json.load(answer)["outputs"]
    assert np.shape(outputs["pctr"]) == slate
    assert 0 < np.min(outputs["pctr"]) <= np.max(outputs["pctr"]) < 1
