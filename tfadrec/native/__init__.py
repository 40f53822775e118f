"""A bundle as TensorFlow's C library answers it, without its Python.

What stands here never imports TensorFlow: `python -m tfadrec.native.replay` is
a process like a server's, which loads a bundle and answers requests.
"""
