"""Memory that goes back to the system."""

import ctypes
import gc


def give_back() -> None:
    """Frees what only refers to itself, and returns free memory.

    A graph of TensorFlow does the one, with its constants; and what is freed
    the allocator would keep for itself, where it is glibc's.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
