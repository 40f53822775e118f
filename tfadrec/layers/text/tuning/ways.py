"""Ways to tune a language model, as plain values: `AdEncoder(tuning=...)`.

`frozen` and `full` are words; the others are values with settings, which a
config writes as `{"class": "lora", "rank": 8}`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from tfadrec.core.errors import InputError
from tfadrec.core.ranges import Count, Positive


def _require_count(name: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise InputError(
            f"`{name}` must be an integer >= 1. Received: {name}={value!r}. "
            "Choose another one."
        )


@dataclasses.dataclass(frozen=True)
class TopLayers:
    """Trains the last blocks, and the norm after them.

    Embeddings and lower blocks are frozen, so that their outputs can be
    computed once.

    Args:
      k: the number of blocks, >= 1 and at most those of the model.
    """

    k: Count

    def __post_init__(self) -> None:
        _require_count("k", self.k)


@dataclasses.dataclass(frozen=True)
class LoRA:
    """Trains a product of two small matrices beside some of the model's.

    A matrix W becomes W + alpha / rank A B, with A [D, rank] and B [rank, E],
    which starts at zero (Hu et al., "LoRA", ICLR 2022, equation 3).

    With `final_rank` the ranks are shared out among the matrices by need: each
    product is P diag(l) Q, with P and Q near orthonormal, and from `first_step`
    to `last_step` the number of triplets (a column of P, an l, a row of Q)
    falls from rank x matrices to final_rank x matrices, by the cubic of
    equation 12; those of the least sensitivity are left out (Zhang et al.,
    "AdaLoRA", ICLR 2023, with beta_1 = beta_2 = 0.85 and gamma = 0.1). It
    departs from the paper in that P and Q start orthonormal, and not as random
    normal matrices.

    Args:
      rank: >= 1.
      alpha: > 0.
      targets: of `query`, `key`, `value`, `output`, `expand`, `contract`, and
        for a Llama or a gated T5 `gate`: the matrices of each block.
      final_rank: the average rank at last, in [1, rank]; None for LoRA.
      first_step: the step after which ranks fall, >= 0.
      last_step: the step from which they stay, > `first_step`.
    """

    rank: Count = 8
    alpha: Positive = 16.0
    targets: tuple[str, ...] = ("query", "value")
    final_rank: Count | None = None
    first_step: int = 0
    last_step: int | None = None

    def __post_init__(self) -> None:
        _require_count("rank", self.rank)
        if isinstance(self.targets, str) or not self.targets:
            raise InputError(
                "`targets` must be a list of matrices. Received: "
                f"targets={self.targets!r}. Name one at least, as query."
            )
        # From JSON and YAML it comes as a list.
        object.__setattr__(self, "targets", tuple(self.targets))
        if not self.alpha > 0:
            raise InputError(
                f"`alpha` must be > 0. Received: alpha={self.alpha!r}. Choose "
                "another one."
            )
        if self.final_rank is None:
            if self.last_step is not None or self.first_step:
                raise InputError(
                    "`first_step` and `last_step` go with `final_rank`. "
                    f"Received: {self}. Give it, or leave them out."
                )
            return
        _require_count("final_rank", self.final_rank)
        if self.final_rank > self.rank:
            raise InputError(
                "`final_rank` must be at most `rank`. Received: "
                f"final_rank={self.final_rank}, rank={self.rank}. Lower it."
            )
        if self.last_step is None or not 0 <= self.first_step < self.last_step:
            raise InputError(
                "`final_rank` needs steps with 0 <= first_step < last_step. "
                f"Received: first_step={self.first_step}, "
                f"last_step={self.last_step}. Correct them."
            )


@dataclasses.dataclass(frozen=True)
class Adapter:
    """Trains a small network after each sublayer.

    The output h of attention and of feed-forward becomes h + gelu(h D + b) U +
    c before it is added to the residual, with U at zero at first (Houlsby et
    al., "Parameter-efficient transfer learning for NLP", ICML 2019, section
    2.1). It departs from the paper in that the model's norms stay frozen.

    Args:
      bottleneck: the network's inner width, >= 1.
    """

    bottleneck: Count

    def __post_init__(self) -> None:
        _require_count("bottleneck", self.bottleneck)


@dataclasses.dataclass(frozen=True)
class Prefix:
    """Trains keys and values that stand before the text in each block.

    (Li and Liang, "Prefix-tuning", ACL 2021, section 4.2.) It departs from the
    paper in that they are trained themselves, and not through a network that
    makes them. They have no position: T5's bias of distances is zero for them.

    Args:
      length: their number, >= 1.
    """

    length: Count

    def __post_init__(self) -> None:
        _require_count("length", self.length)


Word: TypeAlias = Literal["frozen", "full"]
Tuning: TypeAlias = Word | TopLayers | LoRA | Adapter | Prefix

WORDS = get_args(Word)
CLASSES: Mapping[str, type] = {
    "top_layers": TopLayers,
    "lora": LoRA,
    "adapter": Adapter,
    "prefix": Prefix,
}
#: The values by their names in a config.
top_layers, lora, adapter, prefix = TopLayers, LoRA, Adapter, Prefix


def as_tuning(tuning: Any) -> Tuning:
    """The value of what a constructor or a config was given.

    Args:
      tuning: `frozen`, `full`, a value of this file, or a mapping with `class`
        and the value's settings.

    Raises:
      InputError: where it is none of these, or a setting is wrong.
    """
    if isinstance(tuning, tuple(CLASSES.values())) or tuning in WORDS:
        return tuning
    settings = dict(tuning) if isinstance(tuning, Mapping) else {}
    name = settings.pop("class", None)
    if name not in CLASSES:
        raise InputError(
            f"`tuning` must be {', '.join(WORDS)}, or have a class, one of "
            f"{', '.join(CLASSES)}. Received: {tuning!r}. Choose one of them."
        )
    try:
        return CLASSES[name](**settings)
    except TypeError as error:
        fields = (field.name for field in dataclasses.fields(CLASSES[name]))
        raise InputError(
            f"The tuning {name} takes {', '.join(fields)}. Received: "
            f"{settings!r}. Correct the settings."
        ) from error


def tuning_config(tuning: Tuning) -> str | dict[str, Any]:
    """What `as_tuning` reads back, and JSON holds."""
    if isinstance(tuning, str):
        return tuning
    names = {kind: name for name, kind in CLASSES.items()}
    settings = dataclasses.asdict(tuning)
    if isinstance(tuning, LoRA):
        settings["targets"] = list(tuning.targets)
    return {"class": names[type(tuning)], **settings}
