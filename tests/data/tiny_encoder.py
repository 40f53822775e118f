"""A tiny BERT with random weights, and its tokenizer of ten words."""

import numpy as np
import tokenizers

from tfadrec.core.door import keras
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.layers.text import BertAdEncoder

WORDS = ["[PAD]", "[UNK]", "a", "b", "c", "d", "e", "f", "g", "h"]
CONFIG = {
    "vocab_size": 12,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}


def encoder():
    """Weights large enough to tell texts apart, always the same."""
    keras.utils.set_random_seed(1)
    made = BertAdEncoder(CONFIG, name="any")
    made.build(None)
    random = np.random.default_rng(1)
    for variable in made.weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    return made


def tokenizer(max_tokens=16):
    return Tokenizer(_backend(), max_tokens=max_tokens)


def _backend():
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"
        )
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return made


def write_model(folder):
    """A model folder of the same kind, with other weights."""
    import transformers

    keras.utils.set_random_seed(2)
    config = transformers.BertConfig(**CONFIG)
    model = transformers.TFBertModel(config, add_pooling_layer=False)
    model.build_in_name_scope()
    model.save_pretrained(folder, safe_serialization=True)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=_backend(), pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    return folder
