"""The best ads, read once more: against both models by hand."""

import dataclasses
import functools

import numpy as np
import pytest

from tests.serving import worlds
from tfadrec import data, layers, models, serving
from tfadrec.calibration import Mixture
from tfadrec.calibration.platt import Platt
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.core.read_json import read_json
from tfadrec.serving import native_check, parity
from tfadrec.serving.change_ads import _columns
from tfadrec.serving.re_ranking import replayed
from tfadrec.serving.requests import without_candidates
from tfadrec.serving.scores import Scores

TOP = 5
#: So that what is read changes the order of ads, and what is not does not.
MIXTURE = Mixture(Platt(0.5, 0.25), 0.9, 3.0, -1.5)


@functools.cache
def re_ranking():
    """Of the words; two blocks, of which one reads user and ad together."""
    world = worlds.words()
    keras.utils.set_random_seed(3)
    plain = world.text["encoder"].backbone_config
    config = {**plain, "num_hidden_layers": 2}
    encoder = layers.BertAdEncoder(
        config, tuning=layers.text.top_layers(1), name="text"
    )
    tokenizer = world.text["tokenizer"]
    reader = models.CrossEncoder(
        encoder,
        data.tokenize(world.dataset.catalogue, tokenizer),
        len(world.dataset.schema.event_types) + 1,
        num_events=2,
        event_tokens=3,
        candidate_tokens=5,
    )
    reader.build()
    random = np.random.default_rng(3)
    for variable in reader.weights:
        if variable.dtype.is_floating:
            variable.assign(random.normal(0, 0.5, variable.shape))
    return serving.ReRanking(reader, tokenizer, MIXTURE, TOP)


def service(more=None, **changes):
    world = worlds.words()
    return serving.RankingService(
        world.ranker,
        world.dataset,
        **world.text,
        more=more,
        re_ranking=dataclasses.replace(re_ranking(), **changes),
    )


def request(k, ads=None):
    """Users of three rows; all ads may be given."""
    dataset = worlds.words().dataset
    rows = np.linspace(0, len(dataset) - 1, 3).astype(int)
    asked = serving.replay(dataset, rows)
    choice = {
        "exclude_ads": np.zeros([3, 0], object),
        "exclude_history": np.zeros(3, bool),
        "k": np.full(3, k, np.int32),
    }
    if ads is None:
        return without_candidates(dataset.schema, asked) | choice, rows
    asked = serving.with_candidates(dataset, asked, ads)
    bids = np.linspace(0.5, 2, ads.size).reshape(ads.shape)
    return asked | choice | {"bids": bids.astype(np.float32)}, rows


def read_by_hand(rows):
    """What the cross-encoder says of all ads, [n, N], as it was trained."""
    dataset = worlds.words().dataset
    inputs, *_ = next(iter(dataset.select(rows).batches(len(rows))))
    ads = np.arange(1, 1 + len(dataset.catalogue), dtype=np.int32)
    slates = {"candidate_ads": tf.constant(np.tile(ads, (len(rows), 1)))}
    return re_ranking().reader({**inputs, **slates})["clicked"].numpy()


def places_of(ads):
    """The place in the catalogue of ids [n, k], of the ranker's answer."""
    known = worlds.words().dataset.catalogue.ad_ids.tolist()
    return np.array([[known.index(ad.decode()) for ad in row] for row in ads])


def sigmoid(z):
    return 1 / (1 + np.exp(-z.astype(np.float64)))


def by_hand(own, read, bids, is_given=True):
    """The answer for ads [n, C], of the ranker's own, and their worth."""
    alone = 0.5 * own["logits"] + 0.25
    worth = np.where(is_given, sigmoid(alone) * own["pcvr"] * bids, -np.inf)
    order = np.argsort(-worth, axis=1, kind="stable")
    is_read = np.argsort(order, axis=1) < TOP
    mixed = 0.9 * alone + 3.0 * read - 1.5
    logits = np.where(is_read, mixed, alone)
    score = sigmoid(logits) * own["pcvr"]  # of a conversion
    worth = np.where(is_given, score * bids, -np.inf)
    answer = {"logits": logits, "pctr": sigmoid(logits), "score": score}
    return answer, worth, is_read


def assert_ordered(answer, ids, expected, worth):
    """An answer is of the ads `ids` [n, C], by their worth."""
    order = np.argsort(-worth, axis=1)[:, : answer["ad_ids"].shape[1]]
    is_there = np.take_along_axis(worth, order, axis=1) > -np.inf
    found = np.where(is_there, np.take_along_axis(ids, order, axis=1), b"")
    np.testing.assert_array_equal(answer["ad_ids"], found)
    for name, values in expected.items():
        wanted = np.take_along_axis(values, order, axis=1)
        np.testing.assert_allclose(
            answer[name][is_there], wanted[is_there], rtol=2e-4, atol=1e-6
        )


@pytest.mark.parametrize("k", [20, 2])
def test_the_best_ads_of_the_catalogue_are_read(k):
    """Also where fewer are asked for than are read."""
    world = worlds.words()
    ask = worlds.untraced(service(), world, "recommend")
    asked, rows = request(k)
    own = world.recommend(**{**asked, "k": np.full(3, 20, np.int32)})
    places = places_of(own["ad_ids"])
    read = np.take_along_axis(read_by_hand(rows), places, axis=1)
    expected, worth, is_read = by_hand(own, read, 1.0)
    answer = ask["recommend"](**asked)
    assert_ordered(answer, own["ad_ids"], expected, worth)
    # Ads that were not read come before some that were: all are on one scale.
    assert (worth[is_read].min() < worth[~is_read].max()).all()
    order = np.argsort(-worth, axis=1)
    assert (order[:, :TOP] != np.arange(TOP)).any()


def test_the_best_ads_of_a_list_are_read():
    """By score times bid; an ad that comes twice is given once."""
    world = worlds.words()
    ask = worlds.untraced(service(), world, "recommend_from")
    ids = world.dataset.catalogue.ad_ids
    ads = np.stack([ids[:9], ids[5:14], ids[11:20]])
    ads[1, 4] = ads[1, 0]
    ads[2, 3:] = "nobody"  # which leaves fewer than are read
    asked, rows = request(9, ads)
    given = ask["recommend_from"](**asked)
    specs = world.signatures["score_slate"].structured_input_signature[1]
    slate = {name: asked[name] for name in specs}
    own = world.ask["score_slate"](**slate)
    # An ad that is not known is not given, and of one that comes twice the
    # place of the larger bid counts.
    is_given = np.ones(ads.shape, bool)
    is_given[1, 0] = is_given[2, 3:] = False
    known = {ad: place for place, ad in enumerate(ids)}
    places = np.array([[known.get(ad, 0) for ad in row] for row in ads])
    read = np.take_along_axis(read_by_hand(rows), places, axis=1)
    expected, worth, _ = by_hand(own, read, asked["bids"], is_given)
    as_bytes = np.array([[ad.encode() for ad in row] for row in ads], object)
    assert_ordered(given, as_bytes, expected, worth)


def test_one_ad_is_read_as_in_a_list():
    """What the check of an export compares, and what it would find."""
    world = worlds.words()
    dataset = world.dataset
    rows = np.arange(0, len(dataset), 9)
    rows = rows[dataset.impressions.ads[rows] > 0]
    ask = worlds.untraced(service(), world, "recommend_from")
    answer = ask["recommend_from"](**replayed.ask(dataset, rows, {}))
    inputs, *_ = next(iter(dataset.select(rows).batches(len(rows))))
    own = world.ranker(inputs)

    def difference(mixture):
        expected = replayed.expected(
            dataclasses.replace(re_ranking(), mixture=mixture),
            Scores(world.ranker, dataset.schema.negatives_kept),
            inputs,
            own,
        )
        gaps = [answer[name] - v.numpy() for name, v in expected.items()]
        return max(np.abs(gap).max() for gap in gaps)

    assert difference(MIXTURE) < 1e-3
    assert difference(dataclasses.replace(MIXTURE, shift=0.0)) > 0.1


def test_a_signature_answers_as_its_ops_one_by_one():
    world = worlds.words()
    made = service()
    asked, _ = request(4)
    (traced,) = serving.answers(made, made.signatures("recommend")).values()
    one_by_one = worlds.untraced(made, world, "recommend")["recommend"]
    worlds.assert_equal(traced(**asked), one_by_one(**asked))
    # What saves the model has the weights that read user and ad together.
    held = {id(variable) for variable in made._weights}
    upper = re_ranking().reader.trainable_variables
    assert held >= {id(variable) for variable in upper}


@pytest.mark.slow
def test_an_export(tmp_path, monkeypatch):
    """Through the object API, the session API and TensorFlow's C library."""
    world = worlds.words()
    monkeypatch.setattr(parity, "LATENCY_CALLS", 1)
    monkeypatch.setattr(native_check, "CALLS", 1)
    folder = serving.export_bundle(
        world.ranker,
        world.dataset,
        tmp_path / "words",
        **world.text,
        native=True,
        re_ranking=re_ranking(),
    )
    told = read_json(folder / "parity.json")
    assert told["ops_outside_core"] == {}
    lists = [k for k in told["differences"] if k.startswith("recommend_from")]
    assert len(lists) == 4
    bound = parity.bound_of_texts(world.ranker)
    assert max(told["differences"][k] for k in lists) <= bound
    native = read_json(folder / "native.json")
    asked = {each["signature"] for each in native["requests"]}
    assert {"recommend", "recommend_from"} < asked
    # And a bundle that reads by another mixture is refused.
    other = dataclasses.replace(MIXTURE, shift=0.0)
    broken = dataclasses.replace(re_ranking(), mixture=other)
    with pytest.raises(TfadrecError, match=r"\(recommend_from, "):
        parity.check_parity(
            *(world.ranker, world.dataset, folder, world.reader),
            *(worlds.specs(world), {}),
            re_ranking=broken,
        )


def test_an_ad_that_joins_is_read_as_one_that_was_exported():
    """Its copy, as `change_ads` gives it; an ad without any has no tokens."""
    world = worlds.words()
    catalogue = world.dataset.catalogue
    some = catalogue.take(np.array([4, 1]))
    more = dataclasses.replace(
        some,
        ad_ids=np.array(["new-4", "mute"], object),
        titles=(some.titles[0], ""),
        descriptions=("", ""),
        tags=((), ()),
    )
    columns = {**more.columns}
    columns["text"] = np.where([[True], [False]], columns["text"], 0)
    more = dataclasses.replace(more, columns=columns)
    exported = service(more)
    changed = service()
    specs = changed._changer.specs()
    assert {"title", "description", "tags"} < set(specs)
    put = _columns(more, world.dataset.schema)
    given = {n: tf.constant(put[n].tolist(), s.dtype) for n, s in specs.items()}
    assert int(changed._changer.put(**given)) == 2
    hidden = [s._recommender._re_ranker for s in (exported, changed)]
    for table in ("_hidden", "_lengths"):
        found = [getattr(each, table).numpy()[-2:] for each in hidden]
        np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)
    assert hidden[0]._lengths.numpy()[-1] == 0
    assert hidden[0]._lengths.numpy()[-2] > 0


def test_what_cannot_be_read_is_refused(monkeypatch):
    with pytest.raises(InputError, match="at least one ad"):
        dataclasses.replace(re_ranking(), top=0)
    world = worlds.words()
    catalogue = world.dataset.catalogue
    titles = (catalogue.titles[1], *catalogue.titles[1:])
    other = dataclasses.replace(catalogue, titles=titles)
    with pytest.raises(InputError, match="the ad copy that it was trained"):
        serving.RankingService(
            world.ranker,
            world.dataset.with_catalogue(other),
            re_ranking=re_ranking(),
        )
    schema = dataclasses.replace(world.dataset.schema, event_types=("click",))
    with pytest.raises(InputError, match="of 2 event types"):
        serving.RankingService(
            world.ranker,
            dataclasses.replace(world.dataset, schema=schema),
            re_ranking=re_ranking(),
        )


def test_without_a_tokenizer_in_the_graph_no_ads_join(caplog, monkeypatch):
    def refused(_):
        raise InputError("not rebuilt here")

    module = "tfadrec.serving.re_ranking.re_ranker.GraphTokenizer"
    monkeypatch.setattr(module, refused)
    assert not service()._changer.takes_ads
    assert "No ads can be added" in caplog.text
    monkeypatch.undo()
    assert service()._changer.takes_ads
