"""What `evaluate` refuses before any run is loaded."""

import pytest

from tfadrec.cli.evaluate import _check_explained
from tfadrec.core.errors import InputError


def test_averages_are_not_explained():
    runs = {"a": {"config": "fit: {seed: 1}"}}
    _check_explained(runs)
    runs["b"] = {"config": "fit: {ensemble: 3}"}
    with pytest.raises(InputError, match=r"--explain with b, .* Leave out"):
        _check_explained(runs)
