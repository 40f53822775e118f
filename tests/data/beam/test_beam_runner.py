"""Work in pieces, in a pipeline on this machine."""

import pytest

from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.data.beam.beam_runner import BeamRunner

pytest.importorskip("apache_beam")
pytestmark = pytest.mark.filterwarnings("default")


class Squares:
    """Counts up to each of some numbers; with squares."""

    def __init__(self, *numbers, wrong=None):
        self.numbers, self.wrong = numbers, wrong

    def pieces(self):
        return iter(self.numbers)

    def do(self, piece):
        for number in range(piece):
            yield number, number**2
        if piece == self.wrong:
            raise InputError("the piece must not be wrong.")
        if piece < 0:
            raise ValueError("a fault\nof two lines")


def test_what_is_found_comes_in_order(tmp_path):
    with BeamRunner() as runner:
        works = Squares(3, 0, 2), Squares(), Squares(1)
        found = runner.run(works, tmp_path / "scratch")
        squares = [(0, 0), (1, 1), (2, 4)]
        assert [*found[0]] == [*squares, *squares[:2]]
        assert [*found[1]] == []
        # It lies in a file until it is asked for.
        left = sorted(p.name[:2] for p in (tmp_path / "scratch").iterdir())
        assert left == ["2-", "in", "wo"]
        assert [*found[2]] == squares[:1]


def test_an_error_comes_in_the_place_of_its_piece(tmp_path):
    with BeamRunner() as runner:
        (found,) = runner.run([Squares(1, 2, 3, wrong=2)], tmp_path / "s")
        assert [next(found) for _ in range(3)] == [(0, 0), (0, 0), (1, 1)]
        with pytest.raises(InputError, match="must not be wrong"):
            next(found)


def test_a_fault_ends_the_pipeline_in_one_line(tmp_path):
    wanted = pytest.raises(TfadrecError, match=r"must end\. Received: ")
    with BeamRunner() as runner, wanted as e:
        runner.run([Squares(-1)], tmp_path / "s")
    assert "\n" not in str(e.value)


def test_a_folder_that_workers_share_is_removed(tmp_path):
    place = tmp_path / "shared"
    with BeamRunner([f"--temp_location={place}"]) as runner:
        (found,) = runner.run([Squares(2, 3)], tmp_path / "scratch")
        assert next(found) == (0, 0)
        (folder,) = place.iterdir()
        assert len(list(folder.iterdir())) == 4
    assert not list(place.iterdir())
    assert not (tmp_path / "scratch").exists()
