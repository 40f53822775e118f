"""The types of language models: how weights are named, what a block computes.

Public: `Architecture`, which says what a type must tell, with `Turn`, the type
of what turns queries and keys, and `Bert`, `GPT2`, `Llama` and `T5`.
"""

from tfadrec.layers.text.architectures.architecture import Architecture, Turn
from tfadrec.layers.text.architectures.bert import Bert
from tfadrec.layers.text.architectures.gpt2 import GPT2
from tfadrec.layers.text.architectures.llama import Llama
from tfadrec.layers.text.architectures.t5 import T5

__all__ = ["GPT2", "T5", "Architecture", "Bert", "Llama", "Turn"]
