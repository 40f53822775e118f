"""A cross-encoder's logits by hand, and who reads whom."""

import numpy as np
import pytest

from tests.cases.models import catalogue
from tests.cases.text import BERT
from tfadrec import layers, models
from tfadrec.core.door import keras, tf

#: The tokens of the ads 1 to 9.
TOKENS = catalogue().tokens
MANY = {"count": 900, "longest": 99}


def made(**settings):
    keras.utils.set_random_seed(0)
    encoder = layers.BertAdEncoder(BERT, tuning="full", name="text")
    settings = {"num_events": 2, "event_tokens": 3, **settings}
    reader = models.CrossEncoder(encoder, catalogue(), 3, **settings)
    reader.build()
    random = np.random.default_rng(0)
    for variable in reader.trainable_variables:
        variable.assign_add(random.normal(0, 0.1, variable.shape))
    return reader


def inputs(candidates, history=((3, 1, 8),), types=((1, 2, 1),)):
    return {
        "history_ads": tf.constant(history, tf.int32),
        "history_events": tf.constant(types, tf.int32),
        "history_length": tf.constant([len(h) for h in history], tf.int32),
        "candidate_ads": tf.constant(candidates, tf.int32),
    }


def logits(reader, *arguments, **more):
    return reader(inputs(*arguments, **more))["clicked"].numpy()


def unit(x):
    return x / np.linalg.norm(x)


def test_a_user_without_events_leaves_the_ad_alone():
    """The candidate reads itself, as the encoder reads it by itself."""
    reader = made(candidate_tokens=8)
    reader._places.assign(tf.zeros_like(reader._places))
    found = logits(reader, [[1, 5]], history=[[]], types=[[]])
    for ad, logit in zip((1, 5), found[0], strict=True):
        start, end = TOKENS.starts[ad - 1 : ad + 1]
        ids = TOKENS.ids[None, start:end]
        tokens = {"token_ids": ids, "token_mask": np.ones(ids.shape, bool)}
        c = unit(reader.encoder.token_vectors(tokens).numpy()[0].mean(0))
        of_ad = c @ reader._of_ad.numpy()
        expected = reader._bias.numpy() + reader.encoder.width**0.5 * of_ad
        np.testing.assert_allclose(logit, expected, rtol=1e-4)


def test_candidates_do_not_know_of_each_other():
    reader = made()
    together = logits(reader, [[1, 5, 3, 5]])
    np.testing.assert_allclose(together[0, 1], together[0, 3], rtol=1e-5)
    for place, ad in enumerate((1, 5, 3)):
        np.testing.assert_allclose(
            together[0, place], logits(reader, [ad])[0], rtol=1e-4
        )


def test_what_is_read_of_a_history():
    """The newest two events, their order and types; no older one."""
    reader = made()
    own = logits(reader, [5])
    older = logits(reader, [5], history=[[9, 1, 8]])
    np.testing.assert_allclose(older, own, rtol=1e-5)
    for other in (
        {"history": [[3, 1, 9]]},
        {"history": [[3, 8, 1]], "types": [[1, 1, 2]]},
        {"types": [[1, 1, 1]]},
    ):
        assert abs(logits(reader, [5], **other) - own) > 1e-4
    # Without what tells places apart, the order tells nothing.
    reader._places.assign(tf.zeros_like(reader._places))
    turned = logits(reader, [5], history=[[3, 8, 1]], types=[[1, 1, 2]])
    np.testing.assert_allclose(turned, logits(reader, [5]), rtol=1e-4)


def test_what_is_read_of_a_text():
    """Its first tokens; ad 5 has eight tokens of one kind."""
    reader = made(candidate_tokens=3)
    of_three = logits(reader, [5])
    assert abs(logits(made(candidate_tokens=4), [5]) - of_three) > 1e-5


def test_the_lower_layers_come_from_a_file(tmp_path):
    from tfadrec import data

    keras.utils.set_random_seed(0)
    config = {**BERT, "num_hidden_layers": 2}
    encoder = layers.BertAdEncoder(
        config, tuning=layers.text.top_layers(1), name="text"
    )
    reader = models.CrossEncoder(encoder, catalogue(), 3)
    reader.build()
    live = logits(reader, [[1, 5, 2, 0]])
    path = data.lower_layers(TOKENS, encoder, cache=tmp_path, progress=False)
    reader.read_lower_layers(path)
    np.testing.assert_allclose(logits(reader, [[1, 5, 2, 0]]), live, rtol=1e-4)
    other = tmp_path / "other"
    np.random.default_rng(0).normal(size=path.stat().st_size // 4).astype(
        np.float32
    ).tofile(other)
    reader.read_lower_layers(other)
    assert np.abs(logits(reader, [[1, 5, 2, 0]]) - live).max() > 1e-3


def test_ads_that_are_given_by_their_tokens():
    """The logits of slates whose ads are in tables of another order."""
    keras.utils.set_random_seed(0)
    config = {**BERT, "num_hidden_layers": 2}
    encoder = layers.BertAdEncoder(
        config, tuning=layers.text.top_layers(1), name="text"
    )
    reader = models.CrossEncoder(
        encoder, catalogue(), 3, event_tokens=3, candidate_tokens=5
    )
    reader.build()
    assert reader.reads(catalogue().tables())
    starts = catalogue().tables()["token_starts"] + 1
    other = {**catalogue().tables(), "token_starts": starts}
    assert not reader.reads(other)
    ends = zip(TOKENS.starts[:-1], TOKENS.starts[1:], strict=True)
    texts = [TOKENS.ids[start:end] for start, end in ends]
    longest = max(map(len, texts))
    ids = np.zeros([len(texts), longest], np.int32)
    mask = np.arange(longest) < np.array([[len(text)] for text in texts])
    ids[mask] = np.concatenate(texts)
    tokens = {"token_ids": tf.constant(ids), "token_mask": tf.constant(mask)}
    hidden, real = reader.lower_of(tokens)
    own, expected = reader.lower(tf.range(1, 1 + len(texts)))
    assert hidden.shape == (len(texts), 5, encoder.width)
    np.testing.assert_array_equal(real, expected)
    np.testing.assert_allclose(hidden[real], own[real], rtol=1e-4, atol=1e-5)
    # Short texts have as many places.
    few = {name: values[:1, :2] for name, values in tokens.items()}
    assert reader.lower_of(few)[0].shape == (1, 5, encoder.width)

    backwards = [
        tf.pad(part, [[1, 0]] + [[0, 0]] * (part.shape.rank - 1))[::-1]
        for part in (hidden, real)
    ]

    def lower(rows, most):
        found = (tf.gather(part, len(texts) - rows) for part in backwards)
        return tuple(part[:, :most] for part in found)

    slate = [[1, 5, 2]]
    found = reader.logits(inputs(slate), tf.constant(slate), lower)
    np.testing.assert_allclose(found, logits(reader, slate), rtol=1e-4)


def test_it_starts_at_a_level():
    reader = made()
    rows = inputs([[1, 5, 3]])
    rows["candidate_mask"] = tf.constant([[True, True, False]])
    reader.start_at(-2.0, rows)
    found = reader(rows)["clicked"].numpy()[0]
    np.testing.assert_allclose(found[:2].mean(), -2.0, rtol=1e-5)


def test_it_learns_which_ad_follows_which():
    """Ad k + 1 is clicked after ad k: it has to read both."""
    reader = made(num_events=1)
    reader.compile(keras.optimizers.Adam(0.01))
    ads = np.array([1, 3, 4, 6, 8])
    after = {a: b for a, b in zip(ads, np.roll(ads, -1), strict=True)}
    rows = inputs([ads] * 5, history=ads[:, None], types=np.ones([5, 1]))
    clicked = np.array([[b == after[a] for b in ads] for a in ads], np.float32)
    batch = (rows, {"clicked": tf.constant(clicked)})
    step = tf.function(reader.train_step)
    for _ in range(60):
        step(batch)
    found = reader(rows)["clicked"].numpy()
    assert (found.argmax(1) == clicked.argmax(1)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": keras.layers.Dense(2)}, "has no `max_tokens`"),
        ({"catalogue": {"num_ads": 9, "tokens": None}}, "without tokens"),
        (
            {
                "catalogue": {
                    "num_ads": 9,
                    "tokens": {"count": 9, "longest": 99},
                }
            },
            "99 tokens of an ad",
        ),
        ({"losses": {"clicked": "jrc"}}, "several outputs, 'jrc'"),
        ({"losses": {"bought": "binary"}}, "of the tasks clicked"),
    ],
)
def test_refused(change, message):
    arguments = {
        "encoder": layers.BertAdEncoder(BERT, tuning="full"),
        "catalogue": catalogue(),
        **change,
    }
    with pytest.raises(ValueError, match=message):
        models.CrossEncoder(num_event_types=3, **arguments)


def test_a_t5_is_refused():
    """Its positions would tell a candidate where it stands in a slate."""
    from tests.cases.text import T5

    with pytest.raises(ValueError, match="a BERT"):
        models.CrossEncoder(
            layers.T5AdEncoder(T5, tuning="full"), catalogue(), 3
        )
