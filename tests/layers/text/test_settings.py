"""The settings of a language model's config that are read."""

import pytest
import transformers

from tests.layers.text import tiny_models
from tfadrec.core.errors import InputError
from tfadrec.layers.text.architectures.bert import Bert
from tfadrec.layers.text.architectures.gpt2 import GPT2
from tfadrec.layers.text.architectures.settings import settings_of
from tfadrec.layers.text.architectures.t5 import T5

CLASSES = (
    transformers.BertConfig,
    transformers.GPT2Config,
    transformers.T5Config,
    transformers.LlamaConfig,
)


@pytest.mark.parametrize("config_class", CLASSES)
def test_what_transformers_writes_is_read_as_it_does(config_class):
    whole = config_class().to_dict()
    found = settings_of(whole, config_class, {"n_positions": 512})
    assert config_class.from_dict(found).to_dict() == whole


def test_nothing_else_is_read():
    told = {**tiny_models.BERT, "id2label": 7, "torch_dtype": "gone"}
    found = settings_of(told, transformers.BertConfig, {})
    # transformers notes the second in what it was made of.
    others = ("model_type", "attn_implementation")
    assert found == {
        k: v for k, v in tiny_models.BERT.items() if k not in others
    }


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"vocab_size": []}, "a whole number >= 1"),
        ({"vocab_size": True}, "a whole number >= 1"),
        ({"vocab_size": None}, "a whole number >= 1"),
        ({"hidden_size": 0}, "a whole number >= 1"),
        ({"hidden_size": 2**31}, "a whole number >= 1"),
        ({"hidden_size": 8.0}, "a whole number >= 1"),
        ({"pad_token_id": -1}, "a whole number >= 0"),
        ({"hidden_act": 3}, "a text"),
        ({"is_decoder": 0}, "true or false"),
        ({"layer_norm_eps": float("nan")}, r"a number in \[0, inf"),
        ({"layer_norm_eps": float("inf")}, r"a number in \[0, inf"),
        ({"hidden_dropout_prob": -0.1}, r"a number in \[0, 1\)"),
        ({"hidden_dropout_prob": "x" * 500}, r"a number in \[0, 1\)"),
        ({"attention_probs_dropout_prob": 2**31}, r"a number in \[0, 1\)"),
        ({"num_attention_heads": 3}, "multiple of the number of its heads"),
    ],
)
def test_a_setting_of_another_kind(change, rule):
    with pytest.raises(InputError, match=rule) as error:
        Bert({**tiny_models.BERT, **change})
    assert len(str(error.value)) < 250
    assert "\n" not in str(error.value)


def test_other_names_of_settings():
    assert GPT2({**tiny_models.GPT2, "hidden_size": 8}).width == 8
    with pytest.raises(InputError, match="hidden_size must be a whole"):
        GPT2({**tiny_models.GPT2, "hidden_size": "8"})
    assert T5(tiny_models.T5).max_tokens == tiny_models.T5["n_positions"]


def test_what_the_class_of_a_config_refuses():
    with pytest.raises(InputError, match="must describe a t5"):
        T5({**tiny_models.T5, "feed_forward_proj": "a-b-c"})
