"""Regular expressions that take long are refused, and not those of models."""

import random
import subprocess
import sys

import pytest

from tfadrec.data.copy.check_expression import check_expression

_WORD = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_SHORT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_REST = r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
#: Of GPT-2, GPT-4, CLIP, T5, DeepSeek, GPT-4o, Kimi and BLOOM, as their files
#: have them.
EXPRESSIONS = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+"
    r"| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r" {2,}",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    "|[^\r\n\\p{L}\\p{P}\\p{S}]?"
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
    rf"[^\r\n\p{{L}}\p{{N}}]?{_WORD}*{_SMALL}+{_SHORT}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_WORD}+{_SMALL}*{_SHORT}{_REST}",
    " ?[^(\\s|[.,!?\u2026\u3002\uff0c])]+",
    r"^\s+|\s+$",
    r"(?i)a|b",
    r"(?<!\n)\n(?!\n)",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_known_tokenizers_have(expression):
    check_expression(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "(a+)+b",
        "(a|a)*b",
        "(?:a|ab)+$",
        "((x*))*",
        "(?:a{1,9}){2,}b",
        "(a+){20}",
        r"(a)\1+",
        "a{1000000}",
        "a*a*b",
        "a*a*a*b",
        r"(?:\s*[^\s]+)*!",
        "(a?b?)*c",
        "((a|b))*c",
        "a?" * 30 + "b",
        "a{0,1000}a{,1000}b",
        "a*(a*b)?c",
        "(?:a*a*b)?a",
        "a*a*(?!c)",
        "a+?+b",  # a repetition of a repetition, and so is the next one
        "a{1,2}+b",
        "(?x:a*#|\na*b)",  # in a comment
        "a*[]|]a*b",  # in a class
        "a*(?i)a*|b",
        "a)b",
        "(a",
        "a" * 5000,
        7,
    ],
)
def test_expressions_that_may_take_for_ever(expression):
    with pytest.raises(ValueError, match="regular expression"):
        check_expression(expression)


def drawn(chance, depth=3):
    """An expression of `a`, which may fail in many ways."""
    if not depth or chance.random() < 0.4:
        return chance.choice(["a", "[ab]", "aa", "[bc]"])
    parts = [drawn(chance, depth - 1) for _ in range(chance.randint(1, 3))]
    kind = chance.randrange(3)
    if kind == 0:
        return "".join(parts)
    if kind == 1:
        return f"(?:{'|'.join(parts)})"
    many = chance.choice(["*", "+", "?", "{0,9}", "{2,}", "*?", "{1,300}"])
    return f"(?:{parts[0]}){many}"


SEARCH = """
import sys, time, tokenizers
from tokenizers import pre_tokenizers
for expression in sys.stdin.read().splitlines():
    split = pre_tokenizers.Split(tokenizers.Regex(expression), "isolated")
    begun = time.process_time()
    for end in "abcd":
        split.pre_tokenize_str("a" * 2000 + end)
    assert time.process_time() - begun < 10, expression
"""


@pytest.mark.slow
def test_what_is_not_refused_takes_no_time():
    """Of any expressions; the library cannot be ended while it searches."""
    chance = random.Random(0)
    kept, refused = [], 0
    while len(kept) < 1000:
        expression = drawn(chance) + drawn(chance) + drawn(chance)
        try:
            check_expression(expression)
            kept.append(expression)
        except ValueError:
            refused += 1
    assert refused > 300
    subprocess.run(
        [sys.executable, "-c", SEARCH],
        input="\n".join(kept),
        text=True,
        check=True,
        timeout=1800,
    )
