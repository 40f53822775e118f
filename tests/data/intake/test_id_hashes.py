import numpy as np
import pyarrow as pa

from tfadrec.data.intake.id_hashes import draws_of, hashes_of


def test_an_id_has_its_number_in_any_company():
    ids = pa.array(["", "a", "ab", "ba", "é", "a-much-longer-id"])
    numbers = hashes_of(ids)
    assert len(set(numbers.tolist())) == 6
    for place in range(6):
        (alone,) = hashes_of(ids.slice(place, 1))
        assert alone == numbers[place]
    assert len(hashes_of(ids.slice(0, 0))) == 0


def test_the_last_characters_alone():
    ids = pa.array(["xx-123", "yy-123", "123", "xx-124"])
    one, two, three, four = hashes_of(ids, 3)
    assert one == two == three != four


def test_draws_are_spread_evenly():
    """Ids that are numbered, as in most logs; the errors are of 4 sigma."""
    ids = pa.array([f"session-{n}" for n in range(20_000)])
    draws = draws_of(ids)
    counts = np.bincount((draws * 10).astype(int), minlength=10)
    assert np.abs(counts - 2000).max() < 4 * np.sqrt(20_000 * 0.1 * 0.9)
    # Nor does one tell the next one.
    error = np.corrcoef(draws[1:], draws[:-1])[0, 1]
    assert abs(error) < 4 / np.sqrt(20_000)
