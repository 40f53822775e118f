"""What counts as a version of a bundle."""

import os

import pytest

from tfadrec.core.bundle_folder import require_whole
from tfadrec.core.errors import InputError


@pytest.mark.parametrize("make", [None, os.mkfifo, os.mkdir])
def test_a_version_without_a_model_is_refused(tmp_path, make):
    """Before anybody reads it, who would wait for a pipe."""
    if make is not None:
        make(tmp_path / "saved_model.pb")
    with pytest.raises(InputError, match=r"saved_model\.pb is no file"):
        require_whole(tmp_path)
