"""Ads that the catalogue does not have, scored by what is said of them."""

import dataclasses

import numpy as np
import pytest
import tokenizers

from tests.serving import worlds
from tests.training import small
from tfadrec import data, layers, models, serving, towers, training
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import TEXT_COLUMNS
from tfadrec.serving.ad_reader import AdReader
from tfadrec.serving.requests import (
    candidate_inputs,
    new_ads,
    without_candidates,
)


def without_an_id(world, row):
    """The same ranker, but that an ad's id is the unknown one."""
    tower = world.ranker.ad_tower
    [table] = [v for v in tower.variables if "embedding_and_bias" in v.name]
    kept = table.numpy()
    changed = kept.copy()
    changed[row] = kept[0]
    assert abs(changed - kept).max() > 0.1
    return table, kept, changed


def rank(world, rows, table=None, value=None):
    """Logits of impressions by the ranker itself."""
    inputs, _ = next(iter(world.dataset.select(rows).batches(len(rows))))
    if table is None:
        return inputs, world.ranker(inputs, training=False)["clicked"].numpy()
    kept = table.numpy()
    table.assign(value)
    try:
        return inputs, world.ranker(inputs, training=False)["clicked"].numpy()
    finally:
        table.assign(kept)


def forgetting(world, place):
    """A service that does not know one ad of the catalogue by its id."""
    catalogue = world.dataset.catalogue
    ids = catalogue.ad_ids.copy()
    forgotten = ids[place]
    ids[place] = "gone" if ids.dtype == object else 10**12
    dataset = world.dataset.with_catalogue(
        dataclasses.replace(catalogue, ad_ids=ids)
    )
    service = serving.RankingService(world.ranker, dataset, **world.text)
    names = ("score_slate", "score_new_ads")
    return forgotten, worlds.untraced(service, world, *names)


def columns_of(world, row, shape=(1, 1)):
    raw = world.reader.raw(
        world.dataset.catalogue,
        np.array([row]),
        as_tokens=not world.reader.reads_text,
    )
    return {
        f"new_{k}": np.broadcast_to(v[0], (*shape, *v.shape[1:]))
        for k, v in raw.items()
    }


def test_a_deleted_ad_scores_as_its_columns_say(world):
    """As the ranker scores it with the unknown id, also in histories."""
    impressions, events = world.dataset.impressions, world.dataset.events
    lengths = impressions.history_lengths
    # An ad that was shown, and stands in a history that is still read.
    row, ad = next(
        (row, impressions.ads[row])
        for row in np.argsort(-lengths, kind="stable")
        if impressions.ads[row] > 0
        and impressions.ads[row]
        in events.ads[
            max(
                impressions.history_starts[row],
                impressions.history_ends[row] - 6,
            ) : impressions.history_ends[row]
        ]
    )
    table, _, changed = without_an_id(world, ad)
    _, expected = rank(world, np.array([row]), table, changed)
    _, with_id = rank(world, np.array([row]))
    assert abs(expected - with_id).max() > 1e-3  # a hundred times the bound
    forgotten, ask = forgetting(world, ad - 1)
    request = serving.replay(world.dataset, np.array([row]))
    other = world.dataset.catalogue.ad_ids[
        (ad + 3) % len(world.dataset.catalogue)
    ]
    own = candidate_inputs(world.dataset.schema)
    slate = {
        **{
            k: np.repeat(v[:, None], 2, axis=1) if k in own else v
            for k, v in request.items()
        },
        **columns_of(world, ad),
        "candidate_ads": np.array(
            [[forgotten, other]], request["candidate_ads"].dtype
        ),
        "new_ads": np.array([[forgotten]], request["candidate_ads"].dtype),
    }
    assert forgotten in request["history_ads"]
    found = ask["score_new_ads"](**slate)
    np.testing.assert_allclose(found["logits"][:, 0], expected, atol=1e-5)
    # Without being told of it, the ad is the unknown one.
    plain = {k: v for k, v in slate.items() if not k.startswith("new_")}
    unknown = ask["score_slate"](**plain)
    assert abs(unknown["logits"][:, 0] - expected).max() > 1e-3


def test_known_ads_are_read_from_the_catalogue(world, request_of):
    """Whatever the request says of them; and without new ads, all of them."""
    ids = world.dataset.catalogue.ad_ids
    slate = serving.with_candidates(world.dataset, request_of, ids[None, :5])
    expected = world.ask["score_slate"](**slate)
    told = {
        **slate,
        **columns_of(world, 7),
        "new_ads": ids[None, 1:2],
    }
    found = world.ask["score_new_ads"](**told)
    none = {
        **slate,
        **{k: v[:, :0] for k, v in told.items() if k.startswith("new_")},
    }
    for answer in (found, world.ask["score_new_ads"](**none)):
        assert set(answer) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(answer[name], values, atol=1e-6)


def test_new_ads_are_each_row_its_own(world, request_of):
    """One id with other columns in another row, and the first of two."""
    dataset = world.dataset
    pairs = np.array([[2, 5], [5, 2]])
    new = new_ads(dataset, world.reader, pairs)
    both = np.repeat(new["new_ads"][:1, :1], 2, axis=1)
    new["new_ads"] = np.concatenate([both, both])  # one id throughout
    slate = {k: np.repeat(v, 2, axis=0) for k, v in request_of.items()}
    slate = serving.with_candidates(
        dataset, slate, both[:, :1].repeat(2, axis=0)
    )
    found = world.ask["score_new_ads"](**slate, **new)["logits"]
    for place, row in enumerate((2, 5)):
        one = new_ads(dataset, world.reader, np.array([[row]]))
        alone = serving.with_candidates(dataset, request_of, one["new_ads"])
        expected = world.ask["score_new_ads"](**alone, **one)["logits"]
        np.testing.assert_allclose(found[[place]], expected, atol=1e-5)
    assert abs(found[0] - found[1]) > 1e-3


def test_a_merged_batch_scores_as_its_parts(world, request_of):
    """A server fills a request up with its tensors' first elements."""
    new = new_ads(world.dataset, world.reader, np.array([[3, 6]]))
    slate = new | serving.with_candidates(
        world.dataset, request_of, new["new_ads"]
    )
    expected = world.ask["score_new_ads"](**slate)["logits"]
    padded = {
        k: np.concatenate([v, v[:, :1].repeat(3, axis=1)], axis=1)
        if k.startswith("new_") or k in candidate_inputs(world.dataset.schema)
        else v
        for k, v in slate.items()
    }
    found = world.ask["score_new_ads"](**padded)["logits"]
    np.testing.assert_allclose(found[:, :2], expected, atol=1e-5)
    np.testing.assert_allclose(
        found[:, 2:], expected[:, :1].repeat(3, axis=1), atol=1e-5
    )


def test_a_column_that_is_too_short(world, request_of):
    new = new_ads(world.dataset, world.reader, np.array([[3, 6]]))
    slate = new | serving.with_candidates(
        world.dataset, request_of, new["new_ads"]
    )
    name = next(k for k in new if k not in ("new_ads", "new_token_ids"))
    slate[name] = slate[name][:, :1]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="a value for each of new_ads"
    ):
        world.ask["score_new_ads"](**slate)


def test_encode_ads_is_the_tower_with_the_unknown_id(world):
    rows = np.array([3, 1, 3])
    tower = world.ranker.ad_tower
    known = tower(tf.constant(rows))
    [table] = [v for v in tower.variables if "embedding_and_bias" in v.name]
    change = (table.numpy()[0] - table.numpy()[rows])[:, :-1]
    for name in ("encode_ads", "encode_ads_text"):
        if name not in world.ask:
            continue
        raw = world.reader.raw(
            world.dataset.catalogue, rows, as_tokens=name == "encode_ads"
        )
        found = world.ask[name](**raw)
        np.testing.assert_allclose(
            found["vector"], known["vector"] + change, atol=1e-5
        )
        np.testing.assert_allclose(
            found["fields"].sum(axis=1), found["vector"], atol=1e-5
        )
        np.testing.assert_allclose(
            found["bias"], np.full(3, table.numpy()[0, -1]), atol=1e-6
        )
    assert ("encode_ads_text" in world.ask) == (
        world.text["encoder"] is not None
    )


def test_ads_without_copy_have_no_text_vector():
    """As in the catalogue: zeros, and not what the special tokens give."""
    world = worlds.words()
    raw = world.reader.raw(world.dataset.catalogue, np.array([1, 2]))
    blank = {**raw, "title": np.array(["", " \u3000\t"], object)}
    blank |= {k: np.array(["", ""], object) for k in ("description", "tags")}
    found = world.ask["encode_ads_text"](**blank)
    tokens = world.reader.raw(
        world.dataset.catalogue, np.array([1, 2]), as_tokens=True
    )
    empty = {**tokens, "token_length": np.zeros(2, np.int32)}
    for name in ("vector", "fields"):
        np.testing.assert_allclose(
            world.ask["encode_ads"](**empty)[name], found[name], atol=1e-6
        )
    # The field of a zero vector is the projection's bias.
    [bias] = [
        v
        for v in world.ranker.ad_tower.trainable_weights
        if "text_projection/bias" in v.name
    ]
    fields = found["fields"][0]
    assert min(abs(fields - bias.numpy()).max(axis=1)) < 1e-6
    assert (
        abs(
            found["vector"] - world.ask["encode_ads_text"](**raw)["vector"]
        ).max()
        > 1e-2
    )


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[10**6]], "token ids must be in"),
        ([[-1]], "token ids must be in"),
        ([[2] * 17], "an ad must have at most 16 tokens"),
    ],
)
def test_token_ids_that_the_encoder_does_not_know(ids, message):
    world = worlds.words()
    raw = world.reader.raw(
        world.dataset.catalogue, np.array([1]), as_tokens=True
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        world.ask["encode_ads"](
            **{
                **raw,
                "token_ids": np.array(ids, np.int32),
                "token_length": np.array([len(ids[0])], np.int32),
            }
        )


def test_what_stands_behind_the_tokens_is_not_looked_at():
    world = worlds.words()
    raw = world.reader.raw(
        world.dataset.catalogue, np.array([4]), as_tokens=True
    )
    expected = world.ask["encode_ads"](**raw)["vector"]
    junk = np.full([1, 2], 10**6, np.int32)
    raw["token_ids"] = np.concatenate([raw["token_ids"], junk], axis=1)
    found = world.ask["encode_ads"](**raw)["vector"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_encode_user_is_the_user_tower(world, request_of):
    found = world.ask["encode_user"](
        **without_candidates(world.dataset.schema, request_of)
    )
    row = int(world.dataset.impressions.history_lengths.argmax())
    inputs, _ = next(iter(world.dataset.select([row]).batches(1)))
    tower = world.ranker.ad_tower
    candidates = tower(inputs["candidate_ads"][:, None])
    user = world.ranker.encode_user(
        inputs, tower(inputs["history_ads"]), candidates
    )
    for name in ("events", "mask", "bias"):
        np.testing.assert_allclose(found[name], user[name], atol=1e-5)
    assert "user" not in found  # both encoders look at the candidate


def test_an_encoder_without_a_target_gives_a_user_vector():
    dataset = worlds.words().dataset
    config = dataclasses.replace(small.config(), encoder={"class": "GRU"})
    ranker = training.build_ranker(config, dataset)
    service = serving.RankingService(ranker, dataset)
    signatures = service.signatures("encode_user")
    assert set(signatures) == {"encode_user"}
    ask = serving.answers(service, signatures)["encode_user"]
    request = without_candidates(
        dataset.schema, serving.replay(dataset, np.arange(7))
    )
    found = ask(**request)["user"]
    inputs, _ = next(iter(dataset.batches(7)))
    tower = ranker.ad_tower
    expected = ranker.encode_user(
        inputs,
        tower(inputs["history_ads"]),
        tower(inputs["candidate_ads"][:, None]),
    )["user"]
    np.testing.assert_allclose(found, expected[:, 0], atol=1e-5)


def test_a_tokenizer_of_another_kind_takes_token_ids(caplog):
    """Warned about, and then new ads come with token ids."""
    world = worlds.words()
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "of": 2}
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]")
    )
    service = serving.RankingService(
        world.ranker,
        world.dataset,
        tokenizer=data.Tokenizer(backend, max_tokens=8),
        encoder=world.text["encoder"],
    )
    assert "a model of type WordLevel" in caplog.text
    with pytest.raises(KeyError, match="encode_ads_text"):
        service.signatures("encode_ads_text")
    signatures = service.signatures("score_new_ads")
    names = signatures["score_new_ads"].structured_input_signature[1]
    assert {"new_token_ids", "new_token_length"} <= set(names)
    assert "new_title" not in names


def test_copy_is_cleaned_as_for_training():
    """By every step, op by op; `test_graph_cleaner` traces and saves them."""
    world = worlds.words()
    plain = world.text["tokenizer"]
    steps = ["html", "unicode", "stop_words", "space"]
    tokenizer = data.Tokenizer(
        tokenizers.Tokenizer.from_str(plain.backend_definition),
        pad_id=plain.pad_id,
        max_tokens=16,
        clean=steps,
    )
    service = serving.RankingService(
        world.ranker,
        world.dataset,
        tokenizer=tokenizer,
        encoder=world.text["encoder"],
    )
    ask = worlds.untraced(service, world, "encode_ads_text", "score_new_ads")

    title = world.dataset.catalogue.titles[0]
    wide = "".join(chr(ord(c) + 0xFEE0) if c > " " else c for c in title)
    given = [f"<b t='>'>The</b>&nbsp; {wide}<script>x</script>", "&lt;"]
    cleaned = [data.clean_text(text, steps) for text in given]
    assert cleaned == [data.clean_text(title, ["stop_words", "space"]), "<"]
    ads = columns_of(world, 1, [1, 2])
    copy = dict.fromkeys(TEXT_COLUMNS, np.array(["", ""], object))
    ads = {name.removeprefix("new_"): v[0] for name, v in ads.items()} | copy

    def vectors(asked):
        ad = {**ads, "title": np.array(given, object)}
        return asked["encode_ads_text"](**ad)["vector"]

    # What Python makes of the copy.
    tokens = tokenizer(given)
    expected = world.ask["encode_ads"](
        **{name: v for name, v in ads.items() if name not in copy},
        token_ids=tokens["token_ids"],
        token_length=tokens["token_mask"].sum(axis=1, dtype=np.int32),
    )
    np.testing.assert_allclose(vectors(ask), expected["vector"], atol=1e-5)
    assert abs(vectors(world.ask) - expected["vector"]).max() > 1e-3

    def logits(asked, titles):
        new = np.array([["new 1", "new 2"]], object)
        slate = serving.with_candidates(
            world.dataset, serving.replay(world.dataset, [3]), new
        )
        slate |= {f"new_{name}": values[None] for name, values in ads.items()}
        slate |= {"new_ads": new, "new_title": np.array([titles], object)}
        return asked["score_new_ads"](**slate)["logits"]

    np.testing.assert_allclose(
        logits(ask, given), logits(world.ask, cleaned), atol=1e-5
    )


def test_copy_is_read_by_a_llama():
    """Its digits stand alone, and its vectors are those of Python's tokens."""
    world = worlds.words()
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    split = tokenizers.pre_tokenizers
    backend.pre_tokenizer = split.Sequence(
        [
            split.Digits(individual_digits=True),
            split.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=200, show_progress=False
    )
    titles = ["Trail shoes 42 for 7 days", "A tent, 1987"]
    backend.train_from_iterator(titles, trainer)
    encoder = layers.LlamaAdEncoder(
        {
            "vocab_size": backend.get_vocab_size(),
            "hidden_size": world.text["encoder"].width,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "intermediate_size": 8,
            "max_position_embeddings": 32,
            "initializer_range": 1.0,
        },
        kept_layers=1,
    )
    tokenizer = data.Tokenizer(backend, max_tokens=32)
    service = serving.RankingService(
        world.ranker, world.dataset, tokenizer=tokenizer, encoder=encoder
    )
    ask = worlds.untraced(service, world, "encode_ads_text", "encode_ads")
    ads = columns_of(world, 1, [1, 2])
    ads = {name.removeprefix("new_"): v[0] for name, v in ads.items()}
    copy = dict.fromkeys(TEXT_COLUMNS, np.array(["", ""], object))
    copy["title"] = np.array(titles, object)
    found = ask["encode_ads_text"](**{**ads, **copy})["vector"]
    tokens = tokenizer(titles)
    assert tokens["token_mask"].sum(axis=1).tolist()[0] > 5
    expected = ask["encode_ads"](
        **{name: v for name, v in ads.items() if name not in copy},
        token_ids=tokens["token_ids"],
        token_length=tokens["token_mask"].sum(axis=1, dtype=np.int32),
    )["vector"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert abs(found[0] - found[1]).max() > 1e-3


def test_a_ranker_of_ids_alone_has_nothing_to_say_of_new_ads():
    dataset = worlds.words().dataset
    dataset = dataset.with_catalogue(dataset.catalogue.ids_only())
    ranker = training.build_ranker(small.config(), dataset)
    service = serving.RankingService(ranker, dataset)
    for name in ("encode_ads", "score_new_ads"):
        with pytest.raises(KeyError, match=name):
            service.signatures(name)


def test_text_that_does_not_fit():
    world = worlds.words()
    numbers = worlds.numbers()
    encoder, tokenizer = world.text["encoder"], world.text["tokenizer"]
    for other, text, message in (
        (numbers, world.text, "8 floats for a column of None"),
        (world, {"encoder": encoder}, "come together"),
        (world, {"tokenizer": tokenizer}, "come together"),
    ):
        with pytest.raises(InputError, match=message):
            serving.RankingService(other.ranker, other.dataset, **text)


def test_numbers_and_vectors_of_new_ads_are_in_their_own_units():
    """A price of 70 with mean 50 and deviation 10 is a 2."""
    price = Feature(
        "price", "ad", "number", "price", "price", mean=50.0, std=10.0
    )
    image = Feature("image", "ad", "vector", "image", "image", width=2)
    spec = {"num_ads": 3, "features": [price.spec(), image.spec()]}
    ranker = models.AdRanker(
        towers.AdTower(spec, width=4),
        towers.UserTower(layers.DIN(hidden_units=(4,)), num_event_types=2),
    )
    ranker.build()
    reader = AdReader(ranker, [price, image])
    assert set(reader.specs(1)) == {"price", "image"}
    found = reader(
        {
            "price": tf.constant([70.0, np.nan, np.inf], tf.float64),
            "image": tf.constant([[3.0, 4.0]] * 3),
        }
    )
    number, vector = (
        next(
            v.numpy()
            for v in ranker.ad_tower.weights
            if f"{name}_projection/kernel" in v.name
        )
        for name in ("numbers", "image")
    )
    for place, scaled in enumerate((2.0, 0.0, 0.0)):
        expected = scaled * number[0] + [0.6, 0.8] @ vector
        np.testing.assert_allclose(found["vector"][place], expected, atol=1e-5)
