"""What libraries raise on a full disk ends in one line, with exit code 1."""

import errno

import pytest

from tfadrec.core.disk_errors import as_os_errors, is_full
from tfadrec.core.door import tf

FULL = [
    OSError(errno.ENOSPC, "No space"),
    OSError(errno.EFBIG, "x"),
    RuntimeError("errno = 28, error message = 'No space left on device'"),
    Exception("File too large (os error 27)"),  # of the tokenizers' library
]
OTHERS = [FileNotFoundError(errno.ENOENT, "x"), ValueError("28"), OSError()]


@pytest.mark.parametrize("error", [*FULL, *OTHERS], ids=repr)
def test_whether_a_disk_is_full(error):
    assert is_full(error) == (error in FULL)
    kind = OSError if error in FULL else type(error)
    with pytest.raises(kind), as_os_errors():
        raise error


def test_what_tensorflow_says_of_ops_is_left_out():
    """As it has it where a checkpoint finds no room."""
    told = "{{function_node __wrapped__SaveV2}} a/b; too\n  large [Op:SaveV2]"
    error = tf.errors.ResourceExhaustedError(None, None, told)
    said = r"written: a/b; too large$"
    with pytest.raises(OSError, match=said), as_os_errors():
        raise error
