"""What one column means, and how its values become numbers."""

import dataclasses
from typing import Any, Literal

from tfadrec.core.names import SUFFIXES

Entity = Literal["ad", "user", "context", "candidate", "event"]
ENTITIES: tuple[Entity, ...] = ("ad", "user", "context", "candidate", "event")


@dataclasses.dataclass(frozen=True)
class Feature:
    """One feature of an ad, a user, a request, a candidate or an event.

    A *candidate* feature belongs to an ad in a request (its position, its bid);
    a *context* feature to the request as a whole.

    Kinds, each in a file of its own in `tfadrec.data.features`:

    - `category`: one value. Code `i + 1` stands for `vocabulary[i]`, or for a
      hash bucket; code 0 for a missing or unknown value.
    - `categories`: a list of values, with weights where `weighted`.
    - `number`: clipped to [`low`, `high`], on a logarithmic scale where
      `log1p`, then standardised by `mean` and `std`; or, with `bounds`, the
      code of its bucket.
    - `vector`: `width` floats.
    - `cross`: the hashed pair or triple of the categories `of`.
    - `lookup`: a map from a key to a number, read at the ad's category `of`.
    - `overlap`: what two lists of categories `of` have in common.
    - `expression`: a formula of the numbers `of`.
    - `rate`: the click rate of a key, `ids` and the categories `of` together,
      as of the impression's moment.
    - `count`: how often the key was shown before, or stood in events.

    Args:
      name: the column's name, any text.
      entity: what the feature belongs to.
      kind: see above.
      tensor: the name that tensors and weights have, from `core.names`; a
        schema fills it in.
      column: the name of the column in the dataset's files; a schema fills in
        that of the tensor.
      vocabulary: the known values of a category, distinct.
      least_count: how often a value was seen that is in the vocabulary, where
        this was raised so that it holds all of them; 0 where it was not.
      buckets: the number of hash buckets that take the place of a vocabulary;
        0 for none; of a number, of how many of equal counts `bounds` were made.
      bounds: of a number, ascending: value x falls into bucket i, where i
        bounds are <= x.
      log1p: whether a number x is read as sign(x) log(1 + |x|).
      low: the smallest number read, in the column's own unit; None for none.
      high: the largest number read; None for none.
      mean: of a number, after `log1p`.
      std: of a number, after `log1p`, > 0.
      width: floats of a vector; entries that are kept of a list or map.
      weighted: whether the values of a list have weights.
      of: the tensors of the features that a derived one reads; where a schema
        is made, their names.
      ids: of a rate or count, those of `ad_id` and `user_id` that its key has.
      days: of a rate or count, how far back rows count; 0 for all.
      among: of a count, what is counted: `impressions` or `events`.
      prior: of a rate, the impressions that the rate of all counts for.
      measure: of an overlap: `count` (of common values), `share` (of the first
        list's values) or `jaccard` (common values over all).
      expression: the formula of an expression.
      scales: of an expression, mean, deviation and `log1p` (0 or 1) of each
        number that it reads.
      listed: of an overlap, whether each of what it reads is a list and no
        single value; () where both are.
      share: the tensor (or name) of the feature whose vocabulary and embedding
        this one uses; "" for its own.
      lender: the tensor of the feature whose embedding models read, where that
        is not the one of `share`; a schema fills it in.
    """

    name: str
    entity: Entity
    kind: str
    tensor: str = ""
    column: str = ""
    vocabulary: tuple[str, ...] = ()
    least_count: int = 0
    buckets: int = 0
    bounds: tuple[float, ...] = ()
    log1p: bool = False
    low: float | None = None
    high: float | None = None
    mean: float = 0.0
    std: float = 1.0
    width: int = 0
    weighted: bool = False
    of: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    days: float = 0.0
    among: str = "impressions"
    prior: float = 0.0
    measure: str = ""
    expression: str = ""
    scales: tuple[tuple[float, float, float], ...] = ()
    listed: tuple[bool, ...] = ()
    share: str = ""
    lender: str = ""

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names that its tensors can have: some of these it has."""
        return tuple(f"{self.tensor}{suffix}" for suffix in SUFFIXES)

    @property
    def num_codes(self) -> int:
        """The number of codes, the unknown value's code 0 included."""
        if self.bounds:
            return len(self.bounds) + 2
        return (self.buckets or len(self.vocabulary)) + 1

    def spec(self) -> dict[str, Any]:
        """What a layer needs to know, as plain values.

        A number in buckets is a category to a layer.
        """
        spec = {
            "name": self.tensor,
            "entity": self.entity,
            "kind": "category" if self.bounds else self.kind,
            "num_codes": self.num_codes,
            "width": self.width,
        }
        beside = ("weighted", "measure", "expression")
        given = {name: getattr(self, name) for name in beside}
        lender = self.lender or self.share
        given["share"] = "" if lender == self.tensor else lender
        spec |= {name: value for name, value in given.items() if value}
        if self.of:
            spec["of"] = list(self.of)
        if self.scales:
            spec["scales"] = [list(scale) for scale in self.scales]
        if self.listed:
            spec["listed"] = list(self.listed)
        return spec
