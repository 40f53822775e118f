"""The shares of what is hidden, and what never is."""

import numpy as np
import pytest

from tfadrec.ops import token_masking

SHAPE = (400, 100)


@pytest.fixture(scope="module")
def drawn():
    """40,000 tokens, of which every fourth may not be hidden."""
    ids = np.random.default_rng(0).integers(10, 1000, SHAPE).astype(np.int32)
    maskable = np.broadcast_to(np.arange(SHAPE[1]) % 4 != 0, SHAPE)
    read, chosen = token_masking.mask_tokens(
        ids, maskable, [1, 2], mask_id=3, vocabulary_size=1000
    )
    return ids, maskable, read.numpy(), chosen.numpy()


def test_the_shares(drawn):
    """Within four standard deviations of 15 %, and of 80, 10 and 10 %."""
    ids, maskable, read, chosen = drawn
    possible, hidden = maskable.sum(), chosen.sum()

    def near(count, total, share):
        spread = np.sqrt(share * (1 - share) / total)
        return abs(count / total - share) < 4 * spread

    assert near(hidden, possible, 0.15)
    masked = (read == 3)[chosen].sum()
    kept = (read == ids)[chosen].sum()
    assert near(masked, hidden, 0.8)
    assert near(kept, hidden, 0.1)
    assert near(hidden - masked - kept, hidden, 0.1)
    # What is put in its place is drawn from the whole vocabulary.
    other = read[chosen & (read != 3) & (read != ids)]
    assert other.min() < 100
    assert other.max() > 900


def test_the_rest_is_left_alone(drawn):
    ids, maskable, read, chosen = drawn
    assert not chosen[~maskable].any()
    np.testing.assert_array_equal(read[~chosen], ids[~chosen])


def test_a_seed_is_a_choice(drawn):
    ids, maskable, read, _ = drawn
    arguments = {"mask_id": 3, "vocabulary_size": 1000}
    again, _ = token_masking.mask_tokens(ids, maskable, [1, 2], **arguments)
    np.testing.assert_array_equal(again, read)
    other, _ = token_masking.mask_tokens(ids, maskable, [1, 3], **arguments)
    assert (other.numpy() != read).mean() > 0.1


def test_another_share():
    ids = np.full(SHAPE, 7)
    _, chosen = token_masking.mask_tokens(
        ids, ids > 0, [0, 0], mask_id=3, vocabulary_size=10, share=0.4
    )
    assert chosen.numpy().mean() == pytest.approx(0.4, abs=0.01)
