"""Two models' logits of one event, as one."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfadrec.calibration.method import Floats
from tfadrec.calibration.platt import Platt
from tfadrec.core.logistic import fit_weights


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Mixes the logits of a ranker and of a second model that reads few ads.

    With z the ranker's logit of an ad and x the second model's,

        alone(z)     = slope z + level                             (Platt)
        mixed(z, x)  = of_ranker alone(z) + of_second x + shift    (stacking)

    Both lines are fitted to the same rows, so each gives the log odds of a
    click by what is known of an ad: ads that the second model has read and ads
    that it has not can be compared, and be put in one order.

    Args:
      alone: of ads that the ranker alone has scored.
      of_ranker: what that counts where both have.
      of_second: what the logit of the second model counts.
      shift: of the mixed logit.

    Reference:
      Wolpert, "Stacked Generalization", Neural Networks 5(2), 1992; with a
      logistic regression as the model above the two.
    """

    alone: Platt
    of_ranker: float
    of_second: float
    shift: float

    @classmethod
    def fit(
        cls, ranker: Floats, second: Floats, labels: Floats, weights: Floats
    ) -> "Mixture":
        """By maximum likelihood.

        Args:
          ranker: z of the rows, [n], finite; neither model has learned from
            them.
          second: x, [n].
          labels: [n], 0 and 1, of both.
          weights: [n], how many rows each stands for.
        """
        z, x = (np.asarray(values, np.float64) for values in (ranker, second))
        alone = Platt.fit(z, labels, weights)
        known = alone.slope * z + alone.level
        columns = np.stack([known, x, np.ones(len(z))], axis=1)
        start = np.array([1.0, 0.0, 0.0])  # as without the second model
        found = fit_weights(columns, labels, weights, start).tolist()
        return cls(alone, *found)

    def mixed(self, alone: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """The logits of ads that both models have scored.

        Args:
          alone: what `alone` gives of the ranker's logits, float [...].
          second: the second model's logits, float [...].

        Returns:
          float [...].
        """
        return self.of_ranker * alone + self.of_second * second + self.shift
