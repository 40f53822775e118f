"""A run whose language model is trained with the ranker, from end to end."""

import dataclasses
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from tests.test_end_to_end import make_bert
from tests.training import small
from tests.training.test_run import KilledError, assert_equal_runs, kill_at_call
from tfadrec import data, serving, training
from tfadrec.cli import main
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.data.sources import prepare_table
from tfadrec.serving import parity
from tfadrec.training.measure_epochs import MeasureEpochs

RATE = 0.02


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a small BERT, the settings that tune it, and a run."""
    folder = tmp_path_factory.mktemp("tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFADREC_CACHE", str(folder / "cache"))
        ads = data.open_dataset(small.world()).catalogue
        words = sorted({word for t in ads.titles for word in t.lower().split()})
        make_bert(folder / "bert", ["[PAD]", "[UNK]", *words[:40]])
        config = settings(folder, {"class": "top_layers", "k": 1})
        training.train(small.world(), config, folder / "run", progress=False)
        yield folder


def settings(folder, tuning):
    rate = {"class": "LazyAdam", "learning_rate": RATE}
    return small.config(
        text={
            "model": str(folder / "bert"),
            "max_tokens": 16,
            "tuning": tuning,
        },
        optimizer={
            "class": "CompositeOptimizer",
            "groups": {"^text/": rate},
            "default": {"class": "LazyAdam", "learning_rate": 0.0},
            "learning_rate": 1.0,
        },
        fit={"epochs": 2, "decay": False},
    )


def first_weights(folder, tuning):
    config = settings(folder, tuning)
    dataset = data.open_dataset(small.world())
    dataset = training.with_text(dataset, config.text)
    ranker = training.build_ranker(config, dataset, 0)
    return {plain_name(v): v.numpy() for v in ranker.weights}


def plain_name(variable):
    # The cross layers of tfrs number their parts as they are made.
    name = re.sub(r"dense_\d+", "dense", variable.name)
    return name, tuple(variable.shape)


def test_the_top_layers_are_trained_by_their_own_optimiser(made):
    ranker = training.load_run(made / "run").ranker
    before = first_weights(made, {"class": "top_layers", "k": 1})
    names = {v.name for v in ranker.ad_tower.text.trainable_weights}
    assert len(names) == 16
    frozen = ranker.ad_tower.text.non_trainable_weights
    for variable in [*ranker.trainable_weights, *frozen]:
        if not variable.dtype.is_floating:
            continue
        fitted = (
            "text_matching/weights:0",
            "_head/output/bias:0",
            "id/embedding_and_bias:0",
        )
        if variable.name.endswith(fitted):
            continue  # Before the first step.
        moved = (before[plain_name(variable)] != variable.numpy()).any()
        # The rest has a learning rate of zero; a key's bias has no gradient.
        if "key/bias" not in variable.name:
            assert moved == (variable.name in names), variable.name


def test_the_loaded_ranker_scores_alike_without_the_cache(made, monkeypatch):
    run = training.load_run(made / "run")
    assert run.ranker.ad_tower.text.num_frozen_layers == 1
    [file] = (made / "cache" / "lower_layers").glob("*/table.bin")
    batches = run.test.batches(64)
    expected = run.ranker.predict(batches)["clicked"]
    run.ranker.ad_tower.read_lower_layers(file)
    run.ranker.predict_function = None
    kept = run.ranker.predict(batches)["clicked"]
    np.testing.assert_allclose(kept, expected, atol=1e-5)


@pytest.mark.slow
def test_a_killed_run_ends_with_equal_weights(made, tmp_path):
    config = settings(made, {"class": "top_layers", "k": 1})
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        kill_at_call(patch, MeasureEpochs, "on_train_batch_end", 9)
        with pytest.raises(KilledError):
            training.train(small.world(), config, out, progress=False)
    training.train(small.world(), config, out, progress=False)
    assert_equal_runs(out, made / "run")


@pytest.mark.slow
def test_the_bundle_scores_and_recommends_as_the_run(made, tmp_path):
    run = training.load_run(made / "run")
    bundle = serving.export_bundle(run.ranker, run.test, tmp_path / "bundle")
    signatures = serving.open_bundle(bundle)
    request = serving.replay(run.test, np.arange(20))
    served = signatures["serving_default"](**request)["logits"]
    logits = run.ranker.predict(run.test.batches(64))["clicked"][:20]
    np.testing.assert_allclose(served, logits, atol=1e-5)
    user = run.dataset.user_ids[0]
    done = CliRunner().invoke(
        main, ["recommend", str(made / "run"), "--user", user, "--json"]
    )
    assert done.exit_code == 0, done.output
    ours = json.loads(done.stdout.splitlines()[-1])["recommendations"]
    theirs = serving.recommend(signatures["recommend"], run.dataset, user)
    assert [ad["ad_id"] for ad in ours] == [ad["ad_id"] for ad in theirs]


def test_a_frozen_model_is_a_column_of_vectors(made):
    dataset = data.open_dataset(small.world())
    model = str(made / "bert")
    text = {"model": model, "max_tokens": 16, "tuning": "frozen"}
    catalogue = training.with_text(dataset, text).catalogue
    assert catalogue.tokens is None
    assert catalogue.columns["text"].shape == (20, 16)


def test_where_no_ad_has_copy_none_is_read(made, tmp_path, untraced, caplog):
    (tmp_path / "ads.csv").write_text("id,brand\na,x\nb,y")
    lines = [f"u{i % 7},{'ab'[i % 2]},{i},{i % 3 % 2}" for i in range(80)]
    (tmp_path / "log.csv").write_text("\n".join(["user,ad,time,click", *lines]))
    (tmp_path / "t.yaml").write_text(
        "ads: {file: ads.csv, ad_id: id, features: {brand: category}}\n"
        "impressions: {file: log.csv, user_id: user, ad_id: ad, "
        "timestamp: time, clicked: click}"
    )
    prepare_table(tmp_path / "t.yaml", tmp_path / "data")
    text = {"model": str(made / "bert"), "max_tokens": 16}
    config = small.config(text=text, fit={"epochs": 1})
    training.train(tmp_path / "data", config, tmp_path / "run", progress=False)
    assert "no copy is read" in caplog.text
    run = training.load_run(tmp_path / "run")
    assert run.config.text is None
    assert run.ranker.text_matching is None
    reads = RunConfig.from_yaml(
        f"model: cross_encoder\ntext: {{model: {made / 'bert'}, tuning: full, "
        "max_tokens: 16}"
    )
    with pytest.raises(InputError, match="no ad has a title, a description"):
        training.train_cross_encoder(tmp_path / "data", reads, tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            {"tuning": "half"},
            "must be one of frozen, full or a class with its set",
        ),
        (
            {"tuning": {"class": "top_layers", "k": 3}},
            r"backbone, 2\. Received: .*k=3",
        ),
        ({"dtype": "float7"}, "`text`: "),
        ({"max_tokens": 25}, "25 tokens for 24 positions"),
        ({"dropout": 1.5}, "dropout=1.5"),
    ],
)
def test_bad_settings(made, text, message):
    dataset = data.open_dataset(small.world())
    text = {"model": str(made / "bert"), "max_tokens": 16, **text}
    with pytest.raises(InputError, match=message):
        training.with_text(dataset, text)


def test_a_ranker_without_the_tokens_that_it_reads(made):
    dataset = data.open_dataset(small.world())
    with pytest.raises(InputError, match="a catalogue without tokens"):
        training.build_ranker(settings(made, "full"), dataset)


def test_cleaning_and_what_is_cut_are_told(made, monkeypatch, caplog):
    monkeypatch.setenv("TFADREC_CACHE", str(made / "cache"))
    dataset = data.open_dataset(small.world())
    text = {"model": str(made / "bert"), "tuning": "full", "max_tokens": 16}
    training.with_text(dataset, text)
    assert "ads are cut at 16 tokens; `max_tokens` sets that." in caplog.text
    caplog.clear()
    monkeypatch.setattr(data.Tokenizer, "cut_share", lambda self, texts: 0.0)
    training.with_text(dataset, text)
    assert caplog.text == ""
    with pytest.raises(
        InputError, match="a list, each of it one of html, unicode"
    ):
        training.with_text(dataset, {**text, "clean": ["stem"]})
    cleaned = training.with_text(dataset, {**text, "clean": ["stop_words"]})
    assert cleaned.catalogue.tokens is not None


@pytest.mark.slow
@pytest.mark.parametrize("reads_text", [True, False])
def test_a_bundle_in_half_precision(made, few_calls, tmp_path, reads_text):
    """Its bound is wider, as vectors depend on what is encoded together."""
    config = settings(made, {"class": "lora", "rank": 2})
    text = {**config.text, "dtype": "mixed_bfloat16"}
    config = dataclasses.replace(config, text=text)
    dataset = training.with_text(data.open_dataset(small.world()), text)
    ranker = training.build_ranker(config, dataset)
    random = np.random.default_rng(0)
    for variable in ranker.ad_tower.trainable_weights:
        # A correction of the cosine is small, or it is no correction.
        spread = 0.03 if "text_space" in variable.name else 0.3
        variable.assign(random.normal(0, spread, variable.shape))
    tokenizer = training.text_model(text)[0] if reads_text else None
    bundle = serving.export_bundle(
        ranker, dataset, tmp_path / "bundle", tokenizer=tokenizer
    )
    report = json.loads((bundle / "parity.json").read_text())
    assert max(report["differences"].values()) <= report["bound"] == 0.02


@pytest.mark.slow
def test_frozen_half_precision_widens_the_bound_of_new_ads_alone(
    made, tmp_path, monkeypatch
):
    """Vectors that were made once are served to the letter."""
    config = settings(made, "frozen")
    text = {**config.text, "dtype": "mixed_bfloat16"}
    config = dataclasses.replace(
        config, text=text, optimizer={"class": "LazyAdam"}
    )
    dataset = training.with_text(data.open_dataset(small.world()), text)
    ranker = training.build_ranker(config, dataset)
    tokenizer, encoder = training.text_model(text)

    def export(path):
        return serving.export_bundle(
            ranker, dataset, path, tokenizer=tokenizer, encoder=encoder
        )

    bundle = export(tmp_path / "bundle")
    report = json.loads((bundle / "parity.json").read_text())
    assert report["bound"] == 0.02
    known = [
        difference
        for case, difference in report["differences"].items()
        if case.startswith("serving_default")
    ]
    assert len(known) == 4
    assert max(known) <= 1e-5
    monkeypatch.setattr(parity, "PARITY", -1.0)
    with pytest.raises(TfadrecError, match=r"within -1\.0.*serving_default"):
        export(tmp_path / "other")
