import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.layers import TextMatching
from tfadrec.ops import sequence

B, T, C, W = 3, 4, 2, 6
MASK = np.arange(T) < np.array([[4], [2], [0]])


def units(*leading):
    vectors = np.random.default_rng(len(leading) + leading[-1]).normal(
        size=(*leading, W)
    )
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors.astype(np.float32)


def inputs(types=1, ages=0):
    return {
        "history": units(B, T),
        "candidates": units(B, C),
        "mask": MASK,
        "event_types": np.full([B, T], types, np.int32),
        "ages": np.full([B, T], ages, np.int32),
    }


def named(layer):
    return {v.name.split("/")[-1].split(":")[0]: v for v in layer.weights}


def expected(given, beta):
    """The signals by loops, to the letter of the docstring."""
    signals = np.zeros([B, C, 4])
    for b in range(B):
        real = np.flatnonzero(MASK[b])
        for c in range(C if len(real) else 0):
            candidate = given["candidates"][b, c]
            vectors = given["history"][b, real]
            products = vectors @ candidate
            alpha = np.exp(beta * products) / np.exp(beta * products).sum()
            attended = (alpha[:, None] * vectors).sum(0) @ candidate
            signals[b, c] = (
                attended,
                products.max(),
                products.mean(),
                products[-1],
            )
    return signals


def test_before_training_its_logit_is_of_use():
    layer, given = TextMatching(num_event_types=2), inputs()
    signals, logit = layer(given)
    wanted = expected(given, beta=10)
    np.testing.assert_allclose(signals, wanted, atol=1e-5)
    np.testing.assert_allclose(logit, wanted @ [3, 3, 1, 1], atol=1e-5)
    assert not logit[2].numpy().any()  # no history


def test_types_ages_and_places_weigh_events():
    layer, given = TextMatching(num_event_types=2, max_length=3), inputs(1, 50)
    layer(given)
    weights = named(layer)
    weights["sign"].assign([1.0, -0.5])
    weights["of_type"].assign([0.0, 0.7])
    bucket = int(sequence.age_buckets(tf.constant([50]))[0])
    weights["of_age"].assign(
        0.3 * np.eye(sequence.NUM_AGE_BUCKETS, dtype=np.float32)[bucket]
    )
    weights["of_place"].assign([0.1, 0.2, 0.9])
    # The same term for all events changes no softmax; places do.
    for b, places in ((0, [0.9, 0.9, 0.2, 0.1]), (1, [0.2, 0.1])):
        real = np.flatnonzero(MASK[b])
        candidate = given["candidates"][b, 0]
        products = given["history"][b, real] @ candidate
        alpha = np.exp(10 * products + places)
        alpha /= alpha.sum()
        signals = layer(given)[0][b, 0]
        np.testing.assert_allclose(
            signals[0], -0.5 * (alpha * products).sum(), atol=1e-5
        )


def test_an_event_type_of_its_own_has_a_weight_of_its_own():
    layer, given = TextMatching(num_event_types=3), inputs()
    given["event_types"] = np.array([[1, 2, 1, 2]] * B, np.int32)
    layer(given)
    weights = named(layer)
    weights["of_type"].assign([0.0, 0.0, -50.0])
    attended = layer(given)[0][0, 0, 0]
    candidate = given["candidates"][0, 0]
    products = given["history"][0, [0, 2]] @ candidate
    alpha = np.exp(10 * products)
    np.testing.assert_allclose(
        attended, (alpha * products).sum() / alpha.sum(), atol=1e-5
    )


def test_what_was_skipped_has_signals_of_its_own():
    given = inputs()
    types = np.array([[1, 2, 1, 2], [2, 1, 1, 1], [1] * T], np.int32)
    given["event_types"] = types
    layer = TextMatching(num_event_types=3, skipped=2)
    signals, logit = layer(given)
    assert signals.shape == [B, C, layer.num_signals] == [B, C, 8]
    plain = TextMatching(num_event_types=3)
    for part, is_part in ((slice(4), types != 2), (slice(4, 8), types == 2)):
        # As if the other events were not there: these stand in order.
        real = MASK & is_part
        order = np.argsort(~real, axis=1, kind="stable")
        alone = {
            name: np.take_along_axis(
                values, order.reshape(B, T, *[1] * (values.ndim - 2)), 1
            )
            for name, values in given.items()
            if name != "candidates"
        }
        alone |= {"candidates": given["candidates"]}
        alone["mask"] = np.sort(real, axis=1)[:, ::-1]
        wanted, wanted_logit = plain(alone)
        np.testing.assert_allclose(signals[..., part], wanted, atol=1e-5)
        if part == slice(4):  # skipped ones do not count before training
            np.testing.assert_allclose(logit, wanted_logit, atol=1e-5)
    named(layer)["skipped_weights"].assign([0.0, 0.0, -2.0, 0.0])
    np.testing.assert_allclose(
        layer(given)[1], logit - 2 * signals[..., 6], atol=1e-5
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_event_types": 0}, "must be >= 1"),
        ({"temperature": 0.0}, "`temperature` > 0"),
        ({"weights_at_start": (1, 2)}, "attended, largest, mean, newest"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TextMatching(**arguments)
