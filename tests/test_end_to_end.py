"""From log files to equal served scores."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tokenizers
import transformers
import yaml
from click.testing import CliRunner

from tests.layers.text.tiny_models import BERT, torch_layout, write_model
from tfadrec import serving, training
from tfadrec.cli import main
from tfadrec.core.door import keras
from tfadrec.metrics import ranking

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "blue", "shoes", "hat"]
TITLES = ["Red shoes", "Blue shoes", "Red hat", "Blue hat", "Shoes", "Hat"]


def make_logs(folder):
    """Six ads, four users who like red or blue, one row that is refused."""
    ads = [f"ad-{n},{title}," for n, title in enumerate(TITLES)]
    random = np.random.default_rng(0)
    impressions, events = [], []
    for n in range(240):
        user, ad = random.integers(4), random.integers(6)
        clicked = int(random.random() < 0.2 + 0.6 * (user % 2 == ad % 2))
        row = f"user-{user},ad-{ad},{1_600_000_000 + 60 * n}"
        place = random.choice(["top", "side"])
        impressions.append(f"{row},{clicked},{place}")
        if clicked:
            events.append(row)
    impressions.append("user-1,ad-1,yesterday,1,top")
    for name, header, rows in (
        ("ads", "ad,name,text", ads),
        ("clicks", "user,ad,time", events),
        ("log", "user,ad,time,clicked,place", impressions),
    ):
        text = "\n".join([header, *rows, ""])
        (folder / f"{name}.csv").write_text(text)
    log = {"user_id": "user", "ad_id": "ad", "timestamp": "time"}
    config = {
        "ads": {
            "file": "ads.csv",
            "ad_id": "ad",
            "title": "name",
            "description": "text",
        },
        "events": {
            "file": "clicks.csv",
            "event_type": {"constant": "click"},
            **log,
        },
        "impressions": {
            "file": "log.csv",
            "clicked": "clicked",
            "features": {"place": "category"},
            "candidate_features": {
                "user rate": {"kind": "rate", "of": "user_id"},
                "shown here": {"kind": "count", "of": ["ad_id", "place"]},
            },
            **log,
        },
    }
    (folder / "table.yaml").write_text(yaml.safe_dump(config))


def make_bert(folder, words=WORDS):
    """A language model with random weights and a tokenizer of some words."""
    keras.utils.set_random_seed(0)
    model = transformers.TFBertModel(
        transformers.BertConfig.from_dict(BERT), add_pooling_layer=False
    )
    model.build_in_name_scope()
    write_model(folder, torch_layout(model))
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {word: n for n, word in enumerate(words)}, unk_token="[UNK]"
        )
    )
    backend.normalizer = tokenizers.normalizers.Lowercase()
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)


def call(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.slow)])
def whole(request):
    """Whether every signature is exported, and rows are replayed.

    `tests/serving/test_bundle.py` and `test_a_bundle_with_every_feature` always
    do.
    """
    if request.param:
        request.getfixturevalue("few_calls")
        return
    request.getfixturevalue("no_replay")
    few = request.getfixturevalue("few_signatures")
    few("serving_default", "recommend")


@pytest.mark.usefixtures("whole")
def test_from_log_files_to_equal_served_scores(tmp_path, monkeypatch):
    monkeypatch.setenv("TFADREC_CACHE", str(tmp_path / "cache"))
    make_logs(tmp_path)
    make_bert(tmp_path / "bert")
    config = {
        "text": {"model": str(tmp_path / "bert"), "max_tokens": 16},
        "ad_tower": {"width": 4},
        "encoder": {"class": "DIN", "hidden_units": [4]},
        "ranker": {"hidden_units": [8]},
        "fit": {"batch_size": 32, "epochs": 2},
        "data": {"history_length": 5},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    data, run = tmp_path / "data", tmp_path / "run"
    call("prepare", "table", "--config", tmp_path / "table.yaml", "--out", data)
    assert pq.read_table(data / "impressions.parquet").num_rows == 240
    assert pq.read_table(data / "rejects.parquet").num_rows == 1
    call(
        *("train", "--data", data, "--out", run),
        *("--config", tmp_path / "run.yaml"),
    )
    metrics = call("evaluate", run)["metrics"]["clicked"]
    bundle = call("export", run, "--out", tmp_path / "bundles")["bundle"]

    loaded = training.load_run(run)
    # The tower reads the 16 numbers that the language model says of an ad.
    features = loaded.ranker.ad_tower.get_config()["catalogue"]["features"]
    assert [(f["name"], f["width"]) for f in features] == [("text", 16)]
    test = loaded.test
    logits = loaded.ranker.predict(test.batches(64))["clicked"]
    labels = test.impressions.labels["clicked"]
    assert metrics["auc"] == pytest.approx(ranking.auc(labels, logits))
    signatures = serving.open_bundle(bundle)
    request = serving.replay(test, np.arange(len(test)))
    served = signatures["serving_default"](**request)
    np.testing.assert_allclose(served["logits"], logits, atol=1e-5)

    answer = call("recommend", run, "--user", "user-3", "--seen", "-k", 6)
    found = answer["recommendations"]
    assert {ad["title"] for ad in found} == set(TITLES)
    there = serving.recommend(
        signatures["recommend"], loaded.dataset, "user-3", k=6, seen=True
    )
    assert [ad["ad_id"] for ad in there] == [ad["ad_id"] for ad in found]
    for ours, theirs in zip(found, there, strict=True):
        assert ours["pctr"] == pytest.approx(theirs["pctr"], abs=1e-6)
    # Each recommended ad's score is what `serving_default` says of it.
    user = serving.request_for_user(loaded.dataset, "user-3")
    user |= {"user_rate": [np.nan], "shown_here": [np.nan]}
    for ad in found:
        ids = np.array([ad["ad_id"]], object)
        alone = signatures["serving_default"](**user, candidate_ads=ids)
        assert alone["pctr"][0] == pytest.approx(ad["pctr"], abs=1e-6)
