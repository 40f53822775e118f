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
#: Example -> its log, and the column of its times, where it has some; of times
#: that are made up, as of parts to train and to test on, that of its requests.
TIMES = {
    "amazon_industrial": ("amazon_industrial_log.parquet", "request_id"),
    "lastfm": ("lastfm_plays.parquet", None),
    "online_retail": ("online_retail.parquet", "InvoiceDate"),
    "open_bandit": ("open_bandit_men.parquet", "timestamp"),
    "upworthy": ("upworthy_dev.parquet", "test_week"),
}
CONFIG = {
    "fit": {"batch_size": 256, "epochs": 2, "steps_per_epoch": 20},
    "data": {"history_length": 10},
}


def days_of(table, column):
    """A log's first three fourths, and two days of an eighth, by time.

    Rows of one time stay together; rows without times, and requests, are drawn.
    """
    count, random = len(table), np.random.default_rng(0)
    keys = random.permutation(count)
    if column == "request_id":
        requests = table[column].combine_chunks().dictionary_encode().indices
        keys = keys[requests.to_numpy()]
    elif column is not None:
        keys = table[column].to_numpy()
    places = np.argsort(keys, kind="stable")
    keys = keys[places]
    cuts = [3 * count // 4, 7 * count // 8]
    cuts = [int(np.searchsorted(keys, keys[cut])) for cut in cuts]
    return [table.take(part) for part in np.split(places, cuts)]


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

    request = json.loads((bundles / "requests/score_slate.json").read_text())
    slate = np.shape(request["inputs"]["candidate_ads"])
    with servers.preview(bundles, rest_only=True) as server:
        asked = urllib.request.Request(
            f"{server.url}/labels/stable:predict",
            json.dumps(request).encode(),
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            outputs = json.load(answer)["outputs"]
    assert np.shape(outputs["pctr"]) == slate
    assert 0 < np.min(outputs["pctr"]) <= np.max(outputs["pctr"]) < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", LOGS)
def test_one_day_after_another_is_learned(name, tmp_path):
    """By the example's YAML as it is, whose log is a day's file each day."""
    text, files = public_logs.example(name)
    for file in files:
        shortened(public_logs.DATA / file, tmp_path / file, LOGS[name])
    log, column = TIMES[name]
    first, *days = days_of(pq.read_table(tmp_path / log), column)
    pq.write_table(first, tmp_path / log)
    (tmp_path / "log.yaml").write_text(text, "utf-8")
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**CONFIG, "text": None}))
    table = ("prepare", "table", "--config", tmp_path / "log.yaml", "--out")
    known = call(*table, tmp_path / "data")["sizes"]
    config, run = tmp_path / "run.yaml", tmp_path / "run"
    call("train", "--data", tmp_path / "data", "--config", config, "--out", run)
    for number, rows in enumerate(days):
        day, data = tmp_path / f"{number}.parquet", tmp_path / f"data{number}"
        pq.write_table(rows, day)
        brought = call(*table, data, "--log", day)
        assert brought["sizes"]["clicked"] > 0
        out = tmp_path / f"run{number}"
        found = call("update", run, "--data", data, "--out", out)
        assert found["metrics"].keys() == {"before", "updated"}
        assert np.isfinite(found["history"][-1]["loss"])
        # A negative that was drawn may be there already, and nothing else.
        sizes = found["joined"]["sizes"]
        clicked = known["clicked"] + brought["sizes"]["clicked"]
        assert sizes["clicked"] == clicked
        assert sizes["impressions"] > known["impressions"]
        known, run = sizes, out
