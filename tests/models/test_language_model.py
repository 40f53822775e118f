"""LanguageModel against transformers' own heads, and what it learns from."""

import math

import numpy as np
import pytest
import tokenizers

from tests.layers.text import tiny_models
from tfadrec import models, optimizers
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.data.copy import text_batches
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.layers import text
from tfadrec.layers.text import model_folder

KINDS = ("bert", "gpt2")


@pytest.fixture(scope="module")
def batch():
    return tiny_models.batch()


def with_head(kind):
    """transformers' own language model, weights large enough to tell apart."""
    import transformers

    config_class, made = {
        "bert": (transformers.BertConfig, transformers.TFBertForMaskedLM),
        "gpt2": (transformers.GPT2Config, transformers.TFGPT2LMHeadModel),
    }[kind]
    config = config_class.from_dict(tiny_models.CONFIGS[kind])
    return tiny_models.spread(made(config))


def loaded(folder):
    encoder = text.load_encoder(folder, tuning="full")
    model = models.LanguageModel(encoder)
    model.build()
    return model, model_folder.load_head(model.head, folder)


def logits_of(model, batch):
    return model(
        input_ids=batch["token_ids"],
        attention_mask=tf.cast(batch["token_mask"], tf.int32),
    ).logits.numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_transformers(kind, tmp_path, batch):
    """Read from its files, and read by it from ours."""
    import transformers

    reference = with_head(kind)
    reference.save_pretrained(tmp_path / "theirs", safe_serialization=True)
    model, has_head = loaded(tmp_path / "theirs")
    assert has_head == (kind == "bert")
    real = batch["token_mask"]
    expected = logits_of(reference, batch)[real]
    np.testing.assert_allclose(model(batch).numpy()[real], expected, atol=1e-4)

    (tmp_path / "ours").mkdir()
    model_folder.save_model(tmp_path / "ours", model.encoder, model.head)
    read, told = type(reference).from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert not told["missing_keys"] + told["unexpected_keys"]
    np.testing.assert_allclose(
        logits_of(read, batch)[real], expected, atol=1e-4
    )
    assert isinstance(read, transformers.TFPreTrainedModel)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_is_written_without_a_head(kind, tmp_path, batch):
    encoder = tiny_models.encoder(kind)
    model_folder.save_model(tmp_path, encoder)
    again = type(encoder).from_pretrained(tmp_path)
    np.testing.assert_allclose(again(batch), encoder(batch), atol=1e-6)
    assert loaded(tmp_path)[1] is False


def test_a_head_of_pytorch_layout(tmp_path, batch):
    reference = with_head("bert")
    tensors = tiny_models.torch_layout(reference, "bert.")
    tensors = {
        name.replace("bert.mlm___cls", "cls"): value
        for name, value in tensors.items()
    }
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"]
    table = tensors["bert.embeddings.word_embeddings.weight"]
    tensors["cls.predictions.decoder.weight"] = table
    folder = tiny_models.write_model(tmp_path / "m", tensors)
    model, has_head = loaded(folder)
    assert has_head
    real = batch["token_mask"]
    np.testing.assert_allclose(
        model(batch).numpy()[real], logits_of(reference, batch)[real], atol=1e-4
    )
    del tensors["cls.predictions.transform.dense.weight"]
    folder = tiny_models.write_model(tmp_path / "part", tensors)
    with pytest.raises(InputError, match=r"transform.dense.weight is missing"):
        loaded(folder)


def small(kind, **kwargs):
    keras.utils.set_random_seed(0)
    encoder = tiny_models.ENCODERS[kind](
        tiny_models.CONFIGS[kind], tuning="full", dropout=0.0, **kwargs
    )
    model = models.LanguageModel(encoder)
    model.build()
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_knows_nothing(kind, batch):
    """All weights 0: each of the 50 tokens is as likely, and perplexity 50."""
    model = small(kind)
    for variable in model.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    guessed = batch["token_mask"]
    loss = model.compute_loss((batch, (batch["token_ids"], guessed)))
    assert math.exp(float(loss)) == pytest.approx(50, rel=1e-5)


def test_the_loss_is_a_mean_over_the_guesses(batch):
    model = small("bert")
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0, 0.4, variable.shape))
    true = random.integers(0, 50, batch["token_ids"].shape)
    guessed = batch["token_mask"] & (random.random(true.shape) < 0.3)
    logits = model(batch).numpy().astype(np.float64)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    picked = np.take_along_axis(log_probs, true[..., None], -1)[..., 0]
    expected = -picked[guessed].mean()
    loss = float(model.compute_loss((batch, (true, guessed))))
    assert loss == pytest.approx(expected, rel=1e-4)
    # What stands where nothing is to be guessed does not count.
    other = np.where(guessed, true, 7)
    same = float(model.compute_loss((batch, (other, guessed))))
    assert same == pytest.approx(loss, rel=1e-6)


def test_without_guesses_nothing_is_learned(batch):
    model = small("gpt2")
    nothing = np.zeros_like(batch["token_mask"])
    with tf.GradientTape() as tape:
        loss = model.compute_loss((batch, (batch["token_ids"], nothing)), True)
    assert float(loss) == 0
    for gradient in tape.gradient(loss, model.trainable_variables):
        if gradient is not None:
            np.testing.assert_array_equal(tf.convert_to_tensor(gradient), 0)


def toy():
    """Texts `a b a b ...`, whose every token tells the next."""
    special = ["[PAD]", "[CLS]", "[MASK]"]
    words = {word: i for i, word in enumerate([*special, "a", "b"])}
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(words, unk_token="a")
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.add_special_tokens(special)
    tokenizer = Tokenizer(backend)
    return tokenizer, tokenizer.ids(["a b " * n for n in range(2, 9)] * 8)


@pytest.mark.slow
def test_a_language_without_surprises_is_learned():
    """Perplexity near 1 where every token follows from those before it."""
    tokenizer, ids = toy()
    model = small("gpt2")
    model.compile(optimizers.LazyAdam(0.01))
    batches = text_batches.causal_batches(ids, tokenizer, 28, seed=0)
    model.fit(batches, epochs=1, steps_per_epoch=100, verbose=0)
    held = text_batches.causal_batches(ids, tokenizer, 28)
    loss = model.evaluate(held, verbose=0)
    assert math.exp(loss) < 1.03


def test_another_type_is_refused():
    encoder = tiny_models.ENCODERS["t5"](tiny_models.T5)
    with pytest.raises(InputError, match="of type bert or gpt2"):
        models.LanguageModel(encoder)
    with pytest.raises(InputError, match="can be saved"):
        model_folder.save_model("nowhere", encoder)


def test_a_new_config_fits_its_encoder():
    for kind in KINDS:
        config = model_folder.new_config(
            kind, vocabulary_size=30, width=8, num_layers=1, max_tokens=9
        )
        encoder = model_folder.ENCODERS[kind](config)
        assert encoder.vocabulary_size == 30
        assert (encoder.width, encoder.num_layers) == (8, 1)
        assert encoder.max_tokens == 9
    with pytest.raises(InputError, match="a multiple of `num_heads`"):
        model_folder.new_config("bert", vocabulary_size=3, width=9)
    with pytest.raises(InputError, match="num_layers=0"):
        model_folder.new_config("gpt2", vocabulary_size=3, num_layers=0)
    assert text.BertAdEncoder is model_folder.ENCODERS["bert"]
