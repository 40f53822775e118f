"""Memory that goes back to the system."""

import ctypes
import gc

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """Frees what only refers to itself, and returns free memory.

    A graph of TensorFlow does the one, with its constants.
    """
    gc.collect()
    trim()


def trim() -> None:
    """Returns memory that is free already, where the allocator is glibc's.

    It keeps what lies between pieces in use, in a heap for every few threads:
    batches of many rows, bodies of requests and what loads a version leave 100
    MB and more there.
    A call takes 1 to 3 ms, and some 10 ms of processor time for each 100 MB
    that it returns.
    """
    if _trim is not None:
        _trim(0)
