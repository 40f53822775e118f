"""A local preview of a bundle, which speaks as TensorFlow Serving does."""

from tfadrec.serving.preview.server import serve

__all__ = ["serve"]
