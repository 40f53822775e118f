"""What is handed to Beam, and the lines that refuse it."""

import sys

import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.beam.beam_runner import BeamRunner


def test_without_beam_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.setitem(sys.modules, "apache_beam.options", None)
    with pytest.raises(InputError, match=r"pip install 'tfadrec\[beam\]'"):
        BeamRunner()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("no", "Received: no, which is no --name=value"),
        ("--nonsense=3", "Received: --nonsense, which Beam does not know"),
        ("--direct_num_workers=x", "invalid int value: 'x'"),
        ("--runner=Nope", "Unexpected pipeline runner: Nope"),
        ("--runner=FlinkRunner", "without --temp_location. Add it."),
    ],
)
def test_options_that_are_refused(argument, message):
    pytest.importorskip("apache_beam")
    with pytest.raises(InputError, match=r"must|folder") as error:
        BeamRunner([argument])
    assert message in str(error.value)
    assert "\n" not in str(error.value)
