"""Which classes a section of the settings can name, and their arguments."""

import dataclasses
import functools
from typing import Any

from tfadrec.runs.argument import Argument
from tfadrec.runs.rule import Rule
from tfadrec.runs.signature import Signature
from tfadrec.runs.source import read_source

#: Section -> the package whose public classes it chooses from.
_PACKAGES = {
    "encoder": "tfadrec.layers.behavior",
    "matching": "tfadrec.layers.matching",
    "interaction": "tfadrec.layers.interaction",
    "multitask": "tfadrec.layers.multitask",
    "optimizer": "tfadrec.optimizers",
}
#: Optimisers of Keras that a section can name too.
_KERAS = {
    "Adagrad": "tf_keras.src.optimizers.adagrad",
    "Adam": "tf_keras.src.optimizers.adam",
}
#: Public names of the optimisers' package that are rates, and no optimisers.
_SCHEDULES = ("WarmUp",)
_TUNING, _LAYERS = "tfadrec.layers.text.tuning.ways", "tfadrec.layers"
#: What stands within a section -> its classes by their names in a config, and
#: their modules.
_WITHIN = {
    "text.tuning": {
        "top_layers": (_TUNING, "TopLayers"),
        "lora": (_TUNING, "LoRA"),
        "adapter": (_TUNING, "Adapter"),
        "prefix": (_TUNING, "Prefix"),
    },
    "user_tower.ids": {
        "HashedIdEmbedding": (_LAYERS, "HashedIdEmbedding"),
        "DynamicIdEmbedding": (_LAYERS, "DynamicIdEmbedding"),
    },
}
#: Section -> what its settings are arguments of.
_MADE = {
    "text": (
        ("tfadrec.layers.text.ad_encoder", "AdEncoder"),
        ("tfadrec.data.copy.tokenizer", "Tokenizer"),
    ),
    "ad_tower": (("tfadrec.towers", "AdTower"),),
    "user_tower": (("tfadrec.towers", "UserTower"),),
    "text_matching": (("tfadrec.layers.text_matching", "TextMatching"),),
    "fold_in": (("tfadrec.layers.fold_in", "FoldIn"),),
    "ranker": (("tfadrec.models", "AdRanker"),),
    "cross_encoder": (("tfadrec.models", "CrossEncoder"),),
    "retriever": (("tfadrec.models", "AdRetriever"),),
    "fit": (("tfadrec.training", "fit"),),
    "data": (("tfadrec.data", "split_by_time"),),
    "calibration": (("tfadrec.calibration", "fit_calibration"),),
    "fairness": (("tfadrec.losses", "GroupGap"),),
    "track": (("tfadrec.training.tracking", "trackers"),),
}
#: What is not a setting, since the dataset or another section tells it.
_GIVEN = {
    "text": {"backbone_config", "backend", "pad_id"},
    "ad_tower": {
        "catalogue",
        "factor_traits",
        "num_factors",
        "num_slopes",
        "num_traits",
        "passed",
        "text",
        "text_traits",
        "traits_of",
    },
    "user_tower": {
        "encoder",
        "event_features",
        "features",
        "num_event_types",
        "num_slopes",
        "num_users",
    },
    "user_tower.ids": {"dropout", "width"},
    "text_matching": {"num_event_types", "skipped"},
    "fold_in": {"num_event_types", "skipped"},
    "ranker": {
        "ad_tower",
        "candidate",
        "context",
        "fold_in",
        "slopes_of",
        "text_matching",
        "user_tower",
        *_PACKAGES,
    },
    "cross_encoder": {"encoder", "catalogue", "num_event_types"},
    "retriever": {"ad_tower", "user_tower"},
    "multitask": {"num_tasks"},
    "fit": {"model", "train", "valid", "out", "until", "progress"},
    "data": {"dataset"},
    "calibration": {"logits", "dataset", "least"},
    "track": {"folder"},
}
_TEXT_OR_NONE = Rule.any_of([Rule.TEXT, Rule.NONE])
#: Of an optimiser, and of one of several, which may let its weights stay.
_RATE, _RATE_OF_SOME = (
    Rule.any_of([Rule.NUMBER.within(bound), Rule.OBJECT])
    for bound in ("> 0", ">= 0")
)
#: Settings that are no argument of the class.
_BESIDE = {
    "text": {
        "model": Argument(None, True, Rule.TEXT),
        "dtype": Argument(None, False, _TEXT_OR_NONE),
    },
    "user_tower": {"use_id": Argument(True, False, Rule.BOOL)},
    "fit": {
        "ensemble": Argument(1, False, Rule.INTEGER.within(">= 1 and <= 64")),
        "refit": Argument(False, False, Rule.BOOL),
    },
    "data": {
        "history_length": Argument(
            None, False, Rule.INTEGER.within(">= 0 and <= 65536")
        )
    },
}


def has_classes(section: str) -> bool:
    """Whether a section has a choice of classes."""
    return bool(_names(section))


@functools.cache
def classes_of(section: str) -> dict[str, Signature]:
    """The classes that a section can name; none where it has no choice.

    Args:
      section: its name; of a name within a section, as `optimizer.default`,
        the section's, but for those that have their own, as `text.tuning`.
    """
    found = {
        name: Signature.of(module, kept)
        for name, (module, kept) in _names(section).items()
    }
    if section.partition(".")[0] == "interaction":
        return {k: s for k, s in found.items() if "takes" in s.attributes}
    return found


def _names(section: str) -> dict[str, tuple[str, str]]:
    if section in _WITHIN:
        return _WITHIN[section]
    is_rate = section.endswith(".learning_rate")
    section = section.partition(".")[0]
    if section not in _PACKAGES:
        return {}
    package = _PACKAGES[section]
    public = read_source(package).public()
    # Functions are in small letters.
    names = {n: (package, n) for n in public if not n.islower()}
    if section == "optimizer":
        names |= {name: (module, name) for name, module in _KERAS.items()}
        names = {
            n: place
            for n, place in names.items()
            if (n in _SCHEDULES) == is_rate
        }
    return names


def arguments_of(
    section: str, chosen: Signature | None = None
) -> dict[str, Argument]:
    """The settings that a section takes.

    Args:
      section: its name.
      chosen: its class, where it names one.
    """
    made = [chosen] if chosen is not None else _made(section)
    taken = {k: a for s in made for k, a in s.arguments.items()}
    given = _GIVEN.get(section, set())
    own = {} if chosen is not None else _BESIDE.get(section, {})
    if section.partition(".")[0] == "optimizer" and "learning_rate" in taken:
        # Keras' classes do not say what it may be.
        rule = _RATE if section == "optimizer" else _RATE_OF_SOME
        rate = dataclasses.replace(taken["learning_rate"], rule=rule)
        taken = {**taken, "learning_rate": rate}
    return {**own, **{k: a for k, a in taken.items() if k not in given}}


def sections_with(setting: str) -> list[str]:
    """The sections that take a setting, themselves or one of their classes."""
    found = []
    for section in (*_PACKAGES, *_MADE):
        chosen = [None, *classes_of(section).values()]
        if any(setting in arguments_of(section, c) for c in chosen):
            found.append(section)
    return found


def made_of(section: str) -> str:
    """The class that a section without a choice is about; "" for none."""
    made = _made(section)
    return made[0].name if len(made) == 1 and made[0].is_class else ""


@functools.cache
def _made(section: str) -> list[Signature]:
    return [Signature.of(*place) for place in _MADE.get(section, ())]


def defaults_of(
    section: str, chosen: Signature | None = None
) -> dict[str, Any]:
    """The settings that a section takes, with their defaults.

    Args:
      section: its name.
      chosen: its class, where it names one.

    Returns:
      Name -> default, None where there is none.
    """
    taken = arguments_of(section, chosen)
    return {name: argument.default for name, argument in taken.items()}
