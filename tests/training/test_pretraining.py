"""Pretraining: what comes out, killed and resumed, and what is refused."""

import dataclasses
import functools
import importlib
import inspect
import json
import math
import os
import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.layers.text import tiny_models
from tests.training import small
from tests.training.test_run import KilledError, kill_at_call
from tfadrec import data, layers, models, training
from tfadrec.core.errors import InputError
from tfadrec.data.copy import text_batches
from tfadrec.data.copy.corpus import Corpus
from tfadrec.layers.text import model_folder
from tfadrec.training.measure_epochs import MeasureEpochs
from tfadrec.training.pretraining.settings import Settings

SIZES = {"width": 8, "num_layers": 1, "num_heads": 2, "max_tokens": 40}
NEW = {
    "bert": {"type": "bert", "vocabulary_size": 120, **SIZES},
    "gpt2": {"type": "gpt2", "vocabulary_size": 270, **SIZES},
}
#: Twenty texts, of which four are held out.
FIT = {
    "held_out": 0.2,
    "batch_size": 4,
    "epochs": 3,
    "patience": 3,
    "learning_rate": 0.01,
    "max_tokens": 40,
    "progress": False,
}
OBJECTIVES = {
    "masked": {"objective": "masked", "model": NEW["bert"]},
    "causal": {"objective": "causal", "model": NEW["gpt2"]},
    "dropout": {"objective": "contrastive", "model": NEW["gpt2"]},
    "clicks": {
        "objective": "contrastive",
        "model": NEW["bert"],
        "pairs": "clicks",
        "events": ["click"],
        "window_seconds": 10 * 86_400,
    },
}


def pretrain(out, name="masked", dataset=None, **changes):
    return training.pretrain(
        dataset or small.world(),
        out,
        **{**FIT, **OBJECTIVES[name], **changes},
    )


@functools.cache
def done(name):
    return pretrain(small.folder() / f"pretrained-{name}", name)


def weights(folder):
    import safetensors.numpy

    return safetensors.numpy.load_file(folder / "model.safetensors")


@pytest.mark.parametrize(
    "name",
    [
        *("masked", "clicks"),
        pytest.param("causal", marks=pytest.mark.slow),
        pytest.param("dropout", marks=pytest.mark.slow),
    ],
)
def test_what_comes_out(name):
    """A model with its tokenizer, for this project and for transformers."""
    found = done(name)
    assert found.folder.name == "model"
    assert found.num_texts == 20
    assert len(found.history) == 3
    losses = [epoch["val_loss"] for epoch in found.history]
    assert found.best["val_loss"] == min(losses) < found.before["val_loss"]
    kind = OBJECTIVES[name]["model"]["type"]
    encoder = model_folder.ENCODERS[kind].from_pretrained(found.folder)
    tokenizer = data.Tokenizer.from_pretrained(found.folder, max_tokens=40)
    tokenizer.check_fits(encoder.vocabulary_size, encoder.max_tokens)
    read = tokenizer(["a new text"])
    assert np.isfinite(encoder(read)).all()
    # It learned: the weights are not those that it began with.
    begun = weights(found.folder.parent / "begin")
    ended = weights(found.folder)
    moved = [k for k in begun if (begun[k] != ended[k]).any()]
    assert len(moved) > len(begun) / 2

    import transformers

    theirs = transformers.AutoTokenizer.from_pretrained(found.folder)
    assert theirs("a new text").input_ids == read["token_ids"][0].tolist()
    made, extra = {
        "masked": (transformers.TFBertForMaskedLM, {}),
        "causal": (transformers.TFGPT2LMHeadModel, {}),
        "dropout": (transformers.TFGPT2Model, {}),
        "clicks": (transformers.TFBertModel, {"add_pooling_layer": False}),
    }[name]
    model, told = made.from_pretrained(
        found.folder, output_loading_info=True, **extra
    )
    assert not told["missing_keys"] + told["unexpected_keys"]
    ids = read["token_ids"]
    base = getattr(model, model.base_model_prefix)
    np.testing.assert_allclose(
        base(ids).last_hidden_state, encoder.token_vectors(read), atol=1e-5
    )


@pytest.mark.parametrize(
    "name", ["masked", pytest.param("causal", marks=pytest.mark.slow)]
)
def test_the_perplexity_can_be_measured_again(name):
    """Of the saved weights, on the texts that the seed holds out."""
    found = done(name)
    kind = OBJECTIVES[name]["model"]["type"]
    model = models.LanguageModel(
        model_folder.ENCODERS[kind].from_pretrained(found.folder)
    )
    model.build()
    model_folder.load_head(model.head, found.folder)
    tokenizer = data.Tokenizer.from_pretrained(found.folder, max_tokens=40)
    corpus = Corpus.of(data.open_dataset(small.world()).catalogue)
    _, held = corpus.hold_out(0.2, 0)
    ids = tokenizer.ids([corpus.texts[place] for place in held])
    batches = (
        text_batches.masked_batches(ids, tokenizer, 4, share=0.15)
        if name == "masked"
        else text_batches.causal_batches(ids, tokenizer, 4)
    )
    loss = [float(model.compute_loss(batch)) for batch in batches]
    assert len(loss) == 1
    assert found.best["val_loss"] == pytest.approx(loss[0], rel=1e-5)
    perplexity = found.best["val_perplexity"]
    assert perplexity == pytest.approx(math.exp(loss[0]), rel=1e-5)
    assert list(found.before) == ["val_loss", "val_perplexity"]


@pytest.mark.slow
def test_the_tokenizer_has_not_seen_what_is_held_out(tmp_path):
    """A word of a held-out text alone is no token of the vocabulary."""
    corpus = Corpus.of(data.open_dataset(small.world()).catalogue)
    _, held = corpus.hold_out(0.2, 0)
    changed = shutil.copytree(small.world(), tmp_path / "data")
    ads = pq.read_table(changed / "ads.parquet")
    titles = ads["title"].to_pylist()
    row = int(np.flatnonzero(corpus.ads == held[0])[0]) - 1
    titles[row] = "zzzzzz zzzzzz zzzzzz " + titles[row]
    place = ads.column_names.index("title")
    pq.write_table(
        ads.set_column(place, "title", pa.array(titles)),
        changed / "ads.parquet",
    )
    (changed / "manifest.json").unlink()
    found = pretrain(tmp_path / "out", dataset=changed, epochs=1)
    file = json.loads((found.folder / "tokenizer.json").read_text())
    assert not [w for w in file["model"]["vocab"] if "z" in w.strip("#")]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("causal", "clicks")
    ],
)
def test_killed_and_resumed_ends_with_equal_weights(name, tmp_path):
    moments = [
        # Its new model is not whole yet.
        (os, "rename", lambda _, to: pathlib.Path(to).name == "begin", 1),
        # In the middle of the second epoch.
        (MeasureEpochs, "on_train_batch_end", lambda *_: True, 6),
        # The second epoch's checkpoint is written, and not yet told of.
        (os, "replace", lambda _, to: pathlib.Path(to).name == "state.json", 1),
        # All is trained, and the model is not whole.
        (os, "rename", lambda _, to: pathlib.Path(to).name == "model", 1),
    ]
    out = tmp_path / "run"
    for holder, method, when, number in moments:
        with pytest.MonkeyPatch.context() as patch:
            kill_at_call(patch, holder, method, number, when)
            with pytest.raises(KilledError):
                pretrain(out, name)
        assert not (out / "model").exists()
    found, expected = pretrain(out, name), done(name)
    assert found.history == expected.history
    assert found.before == expected.before
    ours, theirs = weights(found.folder), weights(expected.folder)
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        np.testing.assert_array_equal(value, theirs[key], err_msg=key)


def test_a_finished_run_is_read_again(monkeypatch):
    monkeypatch.setattr(
        models.LanguageModel,
        "train_step",
        lambda *_: pytest.fail("it trained"),
    )
    expected = done("masked")
    again = pretrain(expected.folder.parent, "masked")
    assert again == expected


def test_training_ends_early_and_keeps_the_best(
    untraced, tmp_path, monkeypatch
):
    """Two epochs without a lower held-out loss after the second."""
    told = iter([5.0, 2.0, 1.0, 1.5, 1.2, 0.5])
    monkeypatch.setattr(
        models.LanguageModel, "evaluate", lambda *_, **__: next(told)
    )
    found = pretrain(tmp_path / "out", epochs=9, patience=2, steps_per_epoch=1)
    assert found.before["val_loss"] == 5
    assert [e["val_loss"] for e in found.history] == [2.0, 1.0, 1.5, 1.2]
    assert found.best["val_loss"] == 1
    assert found.best["val_perplexity"] == pytest.approx(math.e)


@pytest.mark.slow
def test_it_begins_with_given_weights(tmp_path):
    """The head too; and a head that is missing starts anew."""
    begin = done("masked").folder
    further = pretrain(tmp_path / "more", model=begin, epochs=1)
    before = further.before["val_loss"]
    assert before == pytest.approx(done("masked").best["val_loss"], rel=1e-5)
    bare = done("clicks").folder
    fresh = pretrain(tmp_path / "fresh", model=bare, epochs=1)
    # A new head over small vectors guesses evenly.
    size = layers.BertAdEncoder.from_pretrained(bare).vocabulary_size
    assert fresh.before["val_perplexity"] == pytest.approx(size, rel=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_learns_the_same(precision, tmp_path):
    found = pretrain(tmp_path / "out", "causal", precision=precision)
    expected = done("causal").best["val_loss"]
    assert found.best["val_loss"] == pytest.approx(expected, abs=0.1)
    assert {v.dtype.name for v in weights(found.folder).values()} == {"float32"}


BAD = [
    ({"objective": "guess"}, "`objective` must be one of masked, causal, cont"),
    ({"pairs": "luck"}, "`pairs` must be one of dropout, clicks"),
    ({"batch_size": 0}, "`batch_size` must be an integer >= 1"),
    ({"epochs": 1.5}, "`epochs` must be an integer >= 1. Received: epochs=1.5"),
    ({"learning_rate": 0}, "`learning_rate` must be a number > 0"),
    ({"warm_up": 1.0}, "`warm_up` must be a number >= 0 and < 1"),
    ({"weight_decay": -1}, "`weight_decay` must be a number >= 0. Received"),
    ({"precision": "half"}, "`precision` must be one of float32, mixed_bf"),
    ({"held_out": 0.01}, "of which 0 are held out at held_out=0.01"),
    ({"masked_share": 2}, "`masked_share` must be a number > 0 and < 1"),
    ({"model": {"type": "bert", "depth": 3}}, "type, vocab.*Received: depth"),
    (
        {"model": {"type": "t5"}},
        "masked is for a model of type bert. Rec.*'t5'",
    ),
    ({"model": {"width": 8}}, "of type bert. Received: None"),
    ({"model": NEW["gpt2"]}, "masked is for a model of type bert. .*'gpt2'"),
    ({"model": {**NEW["bert"], "width": 9}}, "a multiple of `num_heads`"),
    (
        {"model": {**NEW["bert"], "vocabulary_size": 9}},
        "`vocabulary_size` must",
    ),
    ({"model": "/nowhere/at all"}, "A model must be an existing folder"),
    ({"max_tokens": 41}, "max_tokens=41 for 40 positions"),
    ({"dropout": 1.0}, "`dropout` must lie in"),
    ({"pooling": "max"}, "`pooling` must be one of"),
]


@pytest.mark.parametrize(
    ("changes", "message"), BAD, ids=[str(b[0]) for b in BAD]
)
def test_bad_input(changes, message, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match=message):
        pretrain(out, **changes)
    # The folder is free for the call that is mended.
    assert not out.exists()


def test_bad_pairs(tmp_path):
    message = "need dropout to differ. Received: dropout=0"
    with pytest.raises(InputError, match=message):
        pretrain(tmp_path / "out", "dropout", dropout=0)
    with pytest.raises(
        InputError, match="`batch_size` must be an integer >= 2"
    ):
        pretrain(tmp_path / "out", "dropout", batch_size=1)
    with pytest.raises(InputError, match="`temperature` must be a number > 0"):
        pretrain(tmp_path / "out", "dropout", temperature=0.0)
    with pytest.raises(InputError, match=r"of click, purchase. Rec.*\['buy'\]"):
        pretrain(tmp_path / "out", "clicks", events=["buy"])
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(InputError, match=r"must hold config\.json"):
        pretrain(tmp_path / "out", model=tmp_path)
    weights = tiny_models.torch_layout(tiny_models.reference("t5"))
    folder = tiny_models.write_model(
        tmp_path / "t5", weights, config=tiny_models.T5
    )
    with pytest.raises(InputError, match=r"is for .* bert. Received: 't5'"):
        pretrain(tmp_path / "out", model=folder)
    weights = tiny_models.torch_layout(tiny_models.reference("gpt2"))
    folder = tiny_models.write_model(
        tmp_path / "gpt2", weights, config=tiny_models.GPT2
    )
    with pytest.raises(InputError, match=r"is for .* bert. Received: 'gpt2'"):
        pretrain(tmp_path / "out", model=folder)
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_that_does_not_fit(tmp_path):
    """The model knows 120 tokens, and the tokenizer 270."""
    folder = shutil.copytree(done("masked").folder, tmp_path / "mixed")
    (folder / "manifest.json").unlink()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(done("causal").folder / name, folder / name)
    with pytest.raises(InputError, match="270 tokens for a table of 120"):
        pretrain(tmp_path / "out", model=folder)


def test_a_tokenizer_without_a_mask_token(tmp_path):
    folder = shutil.copytree(done("masked").folder, tmp_path / "maskless")
    (folder / "manifest.json").unlink()
    for file in folder.glob("*token*.json"):
        file.write_text(file.read_text().replace("[MASK]", "[HIDE]"))
    with pytest.raises(InputError, match="a tokenizer with a mask token"):
        pretrain(tmp_path / "out", model=folder)


def test_a_dataset_without_text(tmp_path):
    folder = shutil.copytree(small.world(), tmp_path / "data")
    ads = pq.read_table(folder / "ads.parquet")
    blank = pa.array([""] * len(ads))
    for name in ("title", "description"):
        ads = ads.set_column(ads.column_names.index(name), name, blank)
    empty = pa.array([[]] * len(ads), pa.list_(pa.string()))
    ads = ads.set_column(ads.column_names.index("tags"), "tags", empty)
    pq.write_table(ads, folder / "ads.parquet")
    (folder / "manifest.json").unlink()
    with pytest.raises(InputError, match="must have ad copy to learn from"):
        pretrain(tmp_path / "out", dataset=folder)


def test_what_was_changed_in_a_model_is_found(tmp_path):
    folder = shutil.copytree(done("masked").folder, tmp_path / "model")
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors is not\."):
        layers.BertAdEncoder.from_pretrained(folder)


def test_what_is_not_of_the_run_is_refused(tmp_path):
    folder = shutil.copytree(done("masked").folder.parent, tmp_path / "run")
    (folder / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"also holds thesis\.tex"):
        pretrain(folder, "masked")
    (folder / "thesis.tex").unlink()
    (folder / "model" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"also holds thesis\.tex"):
        pretrain(folder, "masked")
    assert (folder / "model" / "thesis.tex").exists()


def test_another_run_is_refused(tmp_path):
    folder = shutil.copytree(done("masked").folder.parent, tmp_path / "run")
    with pytest.raises(InputError, match="begun with other settings"):
        pretrain(folder, epochs=4)


def test_pairs_come_from_the_time_of_the_training_rows(
    untraced, monkeypatch, tmp_path
):
    """No event is looked at from the first validation row on."""
    from tfadrec.data.copy.near_events import NearEvents

    told = {}
    real = NearEvents.of.__func__

    def of(cls, *args, before, **kwargs):
        told["before"] = before
        return real(cls, *args, before=before, **kwargs)

    monkeypatch.setattr(NearEvents, "of", classmethod(of))
    pretrain(tmp_path / "out", "clicks", epochs=1, valid=0.2, test=0.2)
    opened = data.open_dataset(small.world())
    _, valid, _ = data.split_by_time(opened, valid=0.2, test=0.2)
    assert told["before"] == valid.impressions.times.min()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [("dropout", None, 0.05), ("clicks", None, 0.3), ("clicks", 0.7, 0.7)],
)
def test_the_temperature(monkeypatch, tmp_path, name, given, expected):
    """That of the loss, and of the record, from which a run goes on."""

    def make(encoder, *, temperature, **kwargs):
        raise KilledError(temperature)

    monkeypatch.setattr(models, "ContrastiveModel", make)
    with pytest.raises(KilledError, match=f"^{expected}$"):
        pretrain(tmp_path / "out", name, temperature=given)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert yaml.safe_load(record["config"])["temperature"] == expected


def test_every_setting_is_an_argument_and_is_recorded():
    """In the order of the arguments, from which old runs go on."""
    given = inspect.signature(training.pretrain).parameters.values()
    names = [p.name for p in given if p.kind is p.KEYWORD_ONLY]
    names.remove("progress")
    assert training.pretraining_settings() == names
    # Each setting has a value of its own, so none can take another's place.
    values = {name: name for name in names}
    values |= {"model": pathlib.Path("/a/b"), "events": ("click",)}
    recorded = yaml.safe_load(Settings(**values).to_yaml())
    assert list(recorded) == names
    assert recorded == {**values, "model": "/a/b", "events": ["click"]}


def test_arguments_reach_their_settings(monkeypatch, tmp_path):
    """Each of them under its own name."""

    def check(settings):
        raise KilledError(settings)

    module = importlib.import_module("tfadrec.training.pretraining.pretrain")
    monkeypatch.setattr(module, "check_settings", check)
    values = {name: name for name in training.pretraining_settings()}
    with pytest.raises(KilledError) as killed:
        training.pretrain(small.world(), tmp_path / "out", **values)
    assert dataclasses.asdict(killed.value.args[0]) == values


def test_every_field_of_the_result_is_told():
    names = [field.name for field in dataclasses.fields(training.Pretraining)]
    assert names == ["folder", "before", "history", "num_texts", "cut_share"]
    # Byte pairs that know 13 merges: each text has more than 40 of them.
    assert done("causal").cut_share == 1
