"""A writer of GGUF files, for tests of what reads them."""

import struct

import numpy as np

Q4_1, Q8_0 = 3, 8
_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1}


def _text(text):
    content = text.encode()
    return struct.pack("<Q", len(content)) + content


def _typed(value):
    if isinstance(value, bool):
        return 7, struct.pack("<?", value)
    if isinstance(value, int):
        return 4, struct.pack("<I", value)
    if isinstance(value, float):
        return 6, struct.pack("<f", value)
    if isinstance(value, str):
        return 8, _text(value)
    typed = [_typed(each) for each in value]
    head = struct.pack("<IQ", typed[0][0], len(typed))
    return 9, head + b"".join(content for _, content in typed)


def write_gguf(path, told, tensors):
    """Writes a file, and gives its path back.

    Args:
      path: of the file.
      told: name -> a number, a text, or a list of these.
      tensors: name -> an array of float32 or float16; or type, shape and bytes.
    """
    alignment = told.get("general.alignment", 32)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(told))
    for name, value in told.items():
        kind, content = _typed(value)
        head += _text(name) + struct.pack("<I", kind) + content
    body = b""
    for name, tensor in tensors.items():
        if isinstance(tensor, np.ndarray):
            tensor = (_TYPES[tensor.dtype], tensor.shape, tensor.tobytes())
        kind, shape, content = tensor
        body += bytes(-len(body) % alignment)
        head += _text(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += struct.pack("<IQ", kind, len(body))
        body += content
    path.write_bytes(head + bytes(-len(head) % alignment) + body)
    return path
