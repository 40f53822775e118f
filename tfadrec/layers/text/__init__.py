"""Language models that read ad copy: token ids in, ad vectors out."""

from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.layers.text.bert_ad_encoder import BertAdEncoder
from tfadrec.layers.text.gpt2_ad_encoder import GPT2AdEncoder
from tfadrec.layers.text.llama_ad_encoder import LlamaAdEncoder
from tfadrec.layers.text.load_encoder import load_encoder, make_encoder
from tfadrec.layers.text.t5_ad_encoder import T5AdEncoder
from tfadrec.layers.text.tuning import adapter, lora, prefix, top_layers

__all__ = [
    "AdEncoder",
    "BertAdEncoder",
    "GPT2AdEncoder",
    "LlamaAdEncoder",
    "T5AdEncoder",
    "adapter",
    "load_encoder",
    "lora",
    "make_encoder",
    "prefix",
    "top_layers",
]
