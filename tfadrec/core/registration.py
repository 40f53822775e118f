"""Registering classes with Keras as soon as Keras is there.

A saved model names its classes. Keras finds a class that is registered, and
registering one imports its file, and so TensorFlow. `import tfadrec` is to be
cheap, so this waits until somebody imports tf_keras, which is needed to load a
model.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable

#: TensorFlow imports tf_keras before it is complete itself, and the other way
#: round, so both are waited for.
_KERAS = ("tensorflow", "tf_keras")


def register_with_keras(register: Callable[[], None]) -> None:
    """Registers now where Keras is loaded, and else when it will be.

    Args:
      register: imports what is to be registered.
    """
    missing = {name for name in _KERAS if name not in sys.modules}
    if not missing:
        register()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(missing, register))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds Keras where it is always found, and acts after it is loaded."""

    def __init__(self, missing: set[str], register) -> None:
        self._missing = missing
        self._register = register

    def find_spec(self, name, path=None, target=None):
        if name not in self._missing:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module) -> None:
                load(module)
                self._loaded(name)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _loaded(self, name: str) -> None:
        self._missing.discard(name)
        if self._missing:
            return
        sys.meta_path.remove(self)
        # A file of tfadrec that imports Keras is not complete yet; what asked
        # for it registers afterwards.
        if "tfadrec.core.door" not in sys.modules:
            self._register()
