"""Which columns a candidate's features read, and in which shape."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.core.door import tf
from tfadrec.layers.features.kinds import columns_of


class CandidateFeatures:
    """The columns of candidates' features, all with the axes [B, C].

    Features of a candidate come as [B, C], those of ads from the ad tower, and
    those of users and the context as [B], once for all candidates.

    Args:
      features: of candidates, and derived ones of several entities.
    """

    def __init__(self, features: Sequence[Mapping[str, Any]]) -> None:
        own = [f for f in features if f.get("entity") == "candidate"]
        self._own = {name for f in own for name in columns_of(f)}
        read = [name for f in features for name in f.get("of", ())]
        self._read = {name for f in features for name in columns_of(f)}
        self._read |= set(read)

    def as_slates(self, inputs):
        """The inputs of single rows, with slates of one candidate."""
        return {
            name: values[:, None] if name in self._own else values
            for name, values in inputs.items()
        }

    def columns(self, inputs, ads):
        """What the features read.

        Args:
          inputs: of the ranker, the candidates' own columns [B, C].
          ads: the ad tower's dict for the candidates, leading axes [B, C].

        Returns:
          Tensors by name, leading axes [B, C] or [B, 1].
        """
        columns = {}
        for name in self._read:
            if name in ads:
                columns[name] = ads[name]
            elif name in self._own:
                columns[name] = inputs[name]
            else:
                columns[name] = tf.expand_dims(inputs[name], 1)
        return columns
