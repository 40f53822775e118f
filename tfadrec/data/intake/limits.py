"""How much of a log the intake holds in memory at a time.

A batch and a part of this size, with what is made of them on the way, stay
below 1 GiB, and arrays of numbers below the 32 MiB from which on glibc gives
memory back to the system once it is free, to be cleared by the kernel for the
next batch. Smaller batches cost more: what is looked up in, such as all
ads, is put into a hash table once per batch.
"""

import math

#: Rows that are read and checked together, and their bytes.
BATCH_ROWS = 1 << 20
BATCH_BYTES = 1 << 28
#: Text that is read and parsed together.
TEXT_BYTES = 1 << 26
#: Rows of a log that are sorted and encoded together, and their bytes.
PART_ROWS = 1 << 20
PART_BYTES = 1 << 29
#: Ids that are looked up together.
LOOK_UP_ROWS = 1 << 22


def parts_of(rows: int, size: int) -> int:
    """In how many parts so many rows of so many bytes are worked on."""
    return max(1, math.ceil(rows / PART_ROWS), math.ceil(size / PART_BYTES))
