"""The C++ loader, compiled against TensorFlow's wheel, and its answers."""

import functools
import pathlib
import shutil
import subprocess

import pytest

from tests.training import small
from tfadrec.core.door import tf

List = tf.compat.v1.NameAttrList
SOURCE = pathlib.Path(__file__).with_name("loader.cc")


@functools.cache
def loader():
    """The program; skips where there is no compiler."""
    if shutil.which("g++") is None:
        pytest.skip("there is no g++ to compile TensorFlow's C++ loader with")
    library = pathlib.Path(tf.sysconfig.get_lib())
    program = small.folder() / "loader"
    command = [
        *("g++", "-O1", str(SOURCE), "-o", str(program), "-w"),
        *tf.sysconfig.get_compile_flags(),
        f"-L{library}",
        f"-Wl,-rpath,{library}",
        # Else the linker drops what only registers itself.
        "-Wl,--no-as-needed",
        "-l:libtensorflow_cc.so.2",
        "-l:libtensorflow_framework.so.2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return program


def answers(program, bundle, asked, scratch):
    """What the program answers to requests, signature and inputs each."""
    files = [scratch / "requests", scratch / "answers"]
    with tf.io.TFRecordWriter(str(files[0])) as writer:
        for signature, request in asked:
            message = List(name=signature)
            for key, values in request.items():
                dtype = tf.string if values.dtype == object else values.dtype
                proto = tf.make_tensor_proto(
                    values.tolist(), dtype, values.shape
                )
                message.attr[key].tensor.CopyFrom(proto)
            writer.write(message.SerializeToString())
    done = subprocess.run(
        list(map(str, [program, bundle, *files])),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    records = tf.data.TFRecordDataset(str(files[1])).as_numpy_iterator()
    return [
        {
            name: tf.make_ndarray(value.tensor)
            for name, value in List.FromString(record).attr.items()
        }
        for record in records
    ]
