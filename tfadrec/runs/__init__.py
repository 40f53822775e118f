"""What a run is begun with, checked before TensorFlow is loaded."""
