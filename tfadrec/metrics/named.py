"""The Keras metrics by the names that `compile` may be given."""

from typing import Any

from tfadrec.core.errors import InputError


def from_name(name: Any):
    """The Keras metric of a name, made for logits.

    Keras' own metrics of such names take probabilities, and measure something
    else where they are given logits.

    Args:
      name: `auc`, in any case of letters.

    Returns:
      A new `AUC`.

    Raises:
      InputError: at any other name.

    Example:
      >>> from_name("AUC").name
      'auc'
    """
    if not isinstance(name, str) or name.casefold() != "auc":
        raise InputError(
            "The one metric that has a name here is 'auc'. Received: "
            f"{name!r}. Keras' metrics of a name take probabilities, and the "
            "model gives logits: pass an object, such as "
            "tfadrec.metrics.AUC(), or, where it is trained on slates, "
            "NDCG(10), MRR() or RequestAUC(); for the accuracy, "
            "tf_keras.metrics.BinaryAccuracy(threshold=0.0)."
        )
    from tfadrec.metrics.auc import AUC

    return AUC()
