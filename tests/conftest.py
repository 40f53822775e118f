"""What every test shares."""

import tfadrec  # noqa: F401  (chooses the Keras flavour before TensorFlow)
