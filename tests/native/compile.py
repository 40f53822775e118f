"""The C++ loader, compiled against TensorFlow's wheel."""

import pathlib
import shutil
import subprocess

import pytest

from tfadrec.core.door import tf

SOURCE = pathlib.Path(__file__).with_name("loader.cc")


def loader(folder):
    """The program; the test is skipped where there is no compiler."""
    if shutil.which("g++") is None:
        pytest.skip("there is no g++ to compile TensorFlow's C++ loader with")
    library = pathlib.Path(tf.sysconfig.get_lib())
    program = folder / "loader"
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
