"""How often an ad, a user or a category was clicked, or shown, before."""

import dataclasses
from typing import ClassVar

from tfadrec.core.errors import InputError
from tfadrec.core.ranges import MOST
from tfadrec.data.features.as_of import DAY
from tfadrec.data.features.cross import require_distinct, require_reach
from tfadrec.data.features.kind import kind_named
from tfadrec.data.features.number import Number

#: What a key may be made of beside categories.
IDS = ("ad_id", "user_id")
_MOST_KEYS = 3
#: What may be counted.
_AMONG = ("impressions", "events")


class Rate(Number):
    """The click rate of a key as of the impression's moment; see `as_of`.

    The key is the ad, the user, a category, or two or three of these together.
    The value is worked out by the intake of the impressions before: a rate as
    its distance from that of all rows, in the unit of a logit, 0 where nothing
    is known.

    Settings: `of`, the key: `ad_id`, `user_id` and categories; `days`, how far
    back impressions count, 0 for all; `prior`, how many impressions of the
    rate of all stand before the first one of the key.

    Encoded as float32 [n].
    """

    settings: ClassVar = {"days": 0, "prior": 10}
    references: ClassVar = ("of",)
    counted: ClassVar = True
    #: What the value can be at most, of as many impressions as there ever are:
    #: a request's that is further off counts as this far.
    limits: ClassVar = (-20.0, 20.0)

    def describe(
        self,
        feature,
        column,
        known,
        *,
        days=0,
        prior=10,
        ids=(),
        among="impressions",
    ):
        """See `Kind.describe`."""
        if feature.entity != "candidate":
            raise InputError(
                f"a {feature.kind} belongs to an ad in a request. Received: "
                f"{feature.name!r} of the {feature.entity}. Write it into "
                "impressions.candidate_features."
            )
        for name, value, least in (("days", days, 0), ("prior", prior, None)):
            is_number = type(value) in (int, float) and value <= MOST
            if not is_number or (value <= 0 if least is None else value < 0):
                raise InputError(
                    f"`{name}` must be a number "
                    f"{'> 0' if least is None else '>= 0'}, and at most "
                    f"{MOST:,}. Received: "
                    f"{value!r} for {feature.name!r}."
                )
        if among not in _AMONG:
            raise InputError(
                f"`among` must be one of {', '.join(_AMONG)}. Received: "
                f"{among!r} for {feature.name!r}."
            )
        require_distinct(feature, [*ids, *feature.of])
        if not 1 <= len(feature.of) + len(ids) <= _MOST_KEYS:
            raise InputError(
                f"a {feature.kind} is of one to {_MOST_KEYS} of "
                f"{', '.join(IDS)} and categories. Received: "
                f"of={[*ids, *feature.of]} for {feature.name!r}."
            )
        if 0 < days * DAY < 1:
            raise InputError(
                "`days` must be 0, for all impressions, or a second at least, "
                f"1.16e-5. Received: {days!r} for {feature.name!r}."
            )
        for name in feature.of:
            require_reach(feature, known.get(name), name)
            if known[name].spec()["kind"] != "category":
                raise InputError(
                    f"a {feature.kind} is of {', '.join(IDS)}, categories, and "
                    f"numbers in buckets. Received: {name!r}, "
                    f"{kind_named(known[name].kind)}, for {feature.name!r}."
                )
            entity = known[name].entity
            if among == "events" and entity not in ("ad", "user"):
                raise InputError(
                    f"a {feature.kind} among events is of ads and users, and "
                    f"of their categories. Received: {name!r} of the {entity} "
                    f"for {feature.name!r}."
                )
        low, high = self.limits
        return dataclasses.replace(
            feature,
            ids=tuple(ids),
            days=float(days),
            prior=float(prior),
            among=among,
            low=low,
            high=high,
        )
