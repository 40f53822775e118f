"""A tokenizer of one's own: its vocabulary is learned from ad copy."""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tfadrec.core.errors import InputError

if TYPE_CHECKING:
    import tokenizers

_BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_GPT2_TOKEN = "<|endoftext|>"


def train_tokenizer(
    texts: Sequence[str],
    folder: str | os.PathLike[str],
    *,
    model_type: str,
    vocabulary_size: int,
) -> int:
    """Learns a vocabulary and writes the tokenizer's files.

    For `bert` it is WordPiece on lower-case text without accents, `[CLS] text
    [SEP]` (Devlin et al., 2019). For `gpt2` it is byte-pair encoding on bytes,
    for which no text is unknown (Radford et al., 2019), and `<|endoftext|>`
    stands before the text, so that its first word is guessed as well. The same
    texts give the same tokenizer.

    Args:
      texts: to learn from.
      folder: gets tokenizer.json, tokenizer_config.json and
        special_tokens_map.json, as transformers' AutoTokenizer reads them.
      model_type: `bert` or `gpt2`.
      vocabulary_size: the number of tokens, special ones included; it may come
        out smaller where the texts do not have that many.

    Returns:
      The number of tokens.

    Raises:
      InputError: where the model's type has no tokenizer here, or the
        vocabulary is too small for single characters.
    """
    import transformers

    trainers = {"bert": _wordpiece, "gpt2": _byte_pairs}
    if model_type not in trainers:
        raise InputError(
            "A tokenizer is trained for a model of type "
            f"{' or '.join(trainers)}. Received: {model_type!r}. Choose one."
        )
    trained, special = trainers[model_type](texts, vocabulary_size)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=trained,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        **special,
    ).save_pretrained(folder)
    return trained.get_vocab_size()


def _wordpiece(
    texts: Sequence[str], size: int
) -> tuple["tokenizers.Tokenizer", dict[str, str]]:
    import tokenizers
    from tokenizers import models, processors, trainers

    def pipeline(model: models.WordPiece) -> tokenizers.Tokenizer:
        made = tokenizers.Tokenizer(model)
        made.normalizer = tokenizers.normalizers.BertNormalizer()
        made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
        made.decoder = tokenizers.decoders.WordPiece()
        return made

    unknown = _BERT_TOKENS[1]
    learner = pipeline(models.WordPiece(unk_token=unknown))
    first, later = set(), set()
    for text in texts:
        cleaned = learner.normalizer.normalize_str(text)
        for word, _ in learner.pre_tokenizer.pre_tokenize_str(cleaned):
            first.update(word[:1])
            later.update(word[1:])
    # The trainer numbers continuations as it meets them, in an order that
    # differs between processes, and ties are settled by number. As special
    # tokens they have their numbers beforehand.
    fixed = [*_BERT_TOKENS, *(f"##{letter}" for letter in sorted(later))]
    letters = sorted(first | later)
    _require_size(size, len(fixed) + len(letters))
    learner.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=size,
            special_tokens=fixed,
            initial_alphabet=letters,
            limit_alphabet=len(letters),
            show_progress=False,
        ),
    )
    trained = pipeline(models.WordPiece(learner.get_vocab(), unk_token=unknown))
    trained.add_special_tokens(list(_BERT_TOKENS))
    begin, end = _BERT_TOKENS[2:4]
    trained.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[
            (token, trained.token_to_id(token)) for token in (begin, end)
        ],
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return trained, dict(zip(names, _BERT_TOKENS, strict=True))


def _byte_pairs(
    texts: Iterable[str], size: int
) -> tuple["tokenizers.Tokenizer", dict[str, str]]:
    import tokenizers
    from tokenizers import models, pre_tokenizers, processors, trainers

    trained = tokenizers.Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = tokenizers.decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    _require_size(size, 1 + len(letters))
    trained.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=[_GPT2_TOKEN],
            initial_alphabet=letters,
            show_progress=False,
        ),
    )
    trained.post_processor = processors.TemplateProcessing(
        single=f"{_GPT2_TOKEN} $A",
        pair=f"{_GPT2_TOKEN} $A {_GPT2_TOKEN}:1 $B:1",
        special_tokens=[(_GPT2_TOKEN, trained.token_to_id(_GPT2_TOKEN))],
    )
    names = ("bos_token", "eos_token", "unk_token", "pad_token")
    return trained, dict.fromkeys(names, _GPT2_TOKEN)


def _require_size(size: int, least: int) -> None:
    if type(size) is not int or size < least:
        raise InputError(
            f"`vocabulary_size` must be an integer >= {least}, the special "
            f"tokens and single characters of these texts. Received: {size!r}. "
            "Choose a larger one."
        )
