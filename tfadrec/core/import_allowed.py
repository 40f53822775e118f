"""Modules of a user, imported because they were named as allowed."""

import importlib
from collections.abc import Collection

from tfadrec.core.errors import InputError


def import_allowed(modules: Collection[str]) -> None:
    """Imports modules that a user allows, for the classes that they register.

    Raises:
      InputError: where one cannot be imported.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # of the module's own code
            line = " ".join(str(error).split())[:300]
            raise InputError(
                "a module of --allow-import must be one that Python can "
                f"import. Received: {module} ({type(error).__name__}: {line}). "
                "Correct its name, or add its folder to PYTHONPATH."
            ) from error
