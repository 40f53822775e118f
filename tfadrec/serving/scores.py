"""What is answered of an ad: logits of the ranker to numbers to act on."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence

from tfadrec.calibration import Calibration
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.no_answer import told
from tfadrec.models.ad_ranker import CONVERTED_IF_CLICKED, AdRanker
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.ops import probability

#: What a scored ad is answered with -> what the ranker calls it.
PROBABILITIES = {
    "pctr": "clicked",
    "pcvr": CONVERTED_IF_CLICKED,
    "pctcvr": "converted",
}
#: Before the name of what is not calibrated.
_RAW = "raw_"
#: Before a task that is not calibrated; no label has a blank in its name.
_RAW_TASK = "raw "
# In float32, sigmoid(17) is 1 and sigmoid(-104) is 0; no answer is either.
_LEAST = 1e-7


class Scores:
    """Answers of a ranker, corrected for impressions that the log leaves out.

    Where a log holds all clicks and the share r of the other impressions, a
    ranker that is trained on it learns the odds p / (1 - p) / r. So log r is
    added to the logit of a click (King and Zeng, 2001, section 4.1, equation 7,
    where it is subtracted from the intercept as log of 1 / r). The probability
    of a conversion once there is a click is as it was, and that of both is
    worked out again as the product.

    A probability lies in [1e-7, 1 - 1e-7]: none is 0 or 1.

    Args:
      ranker: a ranker with the task `clicked`.
      negatives_kept: r, in (0, 1]; see `Schema`.
      calibration: of the ranker's logits, which is applied before that.

    Raises:
      InputError: where the ranker gives no click probabilities.

    Reference:
      King and Zeng, "Logistic Regression in Rare Events Data", Political
      Analysis 9(2), 2001.
    """

    def __init__(
        self,
        ranker: Ranker,
        negatives_kept: float,
        calibration: Calibration | None = None,
    ) -> None:
        losses = ranker.task_losses
        if "clicked" not in losses or not losses["clicked"].is_binary:
            raise InputError(told({k: v.name for k, v in losses.items()}))
        #: The logit that ads are ordered by.
        self.ordered = "converted" if "converted" in losses else "clicked"
        #: Whether something has fixed the level of the logit of a click.
        self.are_probabilities = (
            losses["clicked"].is_calibrated
            or (calibration is not None and "clicked" in calibration.tasks)
            or all(map(_is_mixed, getattr(ranker, "rankers", [ranker])))
        )
        self._shift = math.log(negatives_kept)
        self._calibration = calibration
        self._named = {
            name: task
            for name, task in PROBABILITIES.items()
            if task in (*losses, CONVERTED_IF_CLICKED)
        }
        if "converted" not in losses:
            self._named.pop("pcvr")
        taken = {"logits", "score", "ad_ids", *PROBABILITIES}
        if calibration is not None:
            taken |= {f"{_RAW}{name}" for name in taken}
        others = [t for t in losses if t not in PROBABILITIES.values()]
        self._others = _named_apart(others, taken)
        self._is_binary = {t: loss.is_binary for t, loss in losses.items()}

    @property
    def field(self) -> str | None:
        """The category by which logits are calibrated, if there is one."""
        return None if self._calibration is None else self._calibration.field

    def corrected(
        self,
        logits: Mapping[str, tf.Tensor],
        codes: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Logits of all impressions, from those of the impressions in the log.

        Args:
          logits: as the ranker gives them.
          codes: the values of `field`, as many.

        Returns:
          Task -> calibrated logits, and with a calibration `raw ` and the task
          -> those of the ranker.
        """
        if self._calibration is None:
            return self._shifted(logits)
        raw = self._shifted(logits)
        return {
            **self._shifted(self._calibration(logits, codes)),
            **{f"{_RAW_TASK}{task}": raw[task] for task in raw},
        }

    def _shifted(self, logits: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if not self._shift:
            return dict(logits)
        return _with_clicked(logits, logits["clicked"] + self._shift)

    def with_clicks(
        self,
        corrected: Mapping[str, tf.Tensor],
        change: Callable[[tf.Tensor], tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        """Corrected logits with others of a click, as of the log's impressions.

        Args:
          corrected: as from `corrected`.
          change: from calibrated logits of a click, of the impressions in the
            log, to what they are to be there.

        Returns:
          The same, with those of a click changed and those of conversions
          worked out again; those of the ranker itself stay as they are.
        """
        clicked = change(corrected["clicked"] - self._shift) + self._shift
        return _with_clicked(corrected, clicked)

    def answer(
        self, corrected: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """What is answered, float32, shaped as the logits.

        Args:
          corrected: as from `corrected`.

        Returns:
          `logits` of a click; the probabilities; `score`, the one that ads are
          ordered by; and any other task by its name, as a probability or as the
          mean of a real label. With a calibration, `raw_logits` and `raw_` with
          the name of a probability are what the ranker itself says.
        """
        answer = {
            "logits": corrected["clicked"],
            "score": _probability(corrected[self.ordered]),
        }
        for name, task in self._named.items():
            answer[name] = _probability(corrected[task])
        if self._calibration is not None:
            answer["raw_logits"] = corrected[f"{_RAW_TASK}clicked"]
            for name, task in self._named.items():
                answer[_RAW + name] = _probability(corrected[_RAW_TASK + task])
        for name, task in self._others.items():
            values = corrected[task]
            is_binary = self._is_binary[task]
            answer[name] = _probability(values) if is_binary else values
        return answer

    @property
    def means(self) -> tuple[str, ...]:
        """The answers that are no probabilities."""
        real = (
            n for n, task in self._others.items() if not self._is_binary[task]
        )
        raw = () if self._calibration is None else ("raw_logits",)
        return ("logits", *raw, *real)


def _named_apart(
    tasks: Sequence[str], taken: Collection[str]
) -> dict[str, str]:
    """Answer's name -> task: its own where it is free, else with `_label`."""
    named = {task: task for task in tasks if task not in taken}
    for task in tasks:
        if task in taken:
            name = f"{task}_label"
            while name in named or name in taken:
                name += "_label"
            named[name] = task
    return named


def _with_clicked(
    logits: Mapping[str, tf.Tensor], clicked: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The same logits with another one of a click, and what depends on it."""
    found = {**logits, "clicked": clicked}
    if "converted" in logits:
        found["converted"] = probability.logit_of_product(
            clicked, logits[CONVERTED_IF_CLICKED]
        )
    return found


def _is_mixed(ranker: AdRanker) -> bool:
    return ranker.fold_in is not None and ranker.fold_in.is_mixed


def _probability(logits: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(tf.sigmoid(logits), _LEAST, 1 - _LEAST)
