"""Ads that join, change in or leave a bundle, against an export as they are."""

import dataclasses
import functools
import json

import numpy as np
import pytest

from tests.serving import shop, worlds
from tests.serving.test_finder import retriever_of
from tfadrec import retrieval, serving
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.diagnosis import bundle_checks
from tfadrec.monitoring import Profile
from tfadrec.serving import learn_anchors, loaded_ads
from tfadrec.serving.change_ads import _columns, _put, _remove
from tfadrec.serving.deployment import read_labels
from tfadrec.serving.write_model import write_model

ORDER = serving.OrderSettings("price", "img", ("brand",))


def new_ads():
    """Two ads like others of the shop, under other names, and a known one."""
    more = shop.dataset().catalogue.take(np.array([4, 1, 0]))
    ids = np.array(["new-4", "new-1", *more.ad_ids[2:]], object)
    return dataclasses.replace(more, ad_ids=ids)


def swapped_ads():
    """Ads 2 and 5, each with the copy and the features of the other."""
    some = shop.dataset().catalogue.take(np.array([5, 2]))
    return dataclasses.replace(some, ad_ids=some.ad_ids[::-1])


def dataset(expires=None):
    """The shop's, some of whose ads expire."""
    if expires is None:
        return shop.dataset()
    catalogue = dataclasses.replace(shop.dataset().catalogue, expires=expires)
    return dataclasses.replace(shop.dataset(), catalogue=catalogue)


def service(more=None, expires=None, found_by="anchors"):
    """Of the shop's ads, found by anchors or by a retriever that imitates."""
    found = {"anchors": shop.dataset()}
    if found_by == "retriever":
        retriever = retriever_of(shop.dataset(), interests=2)
        found = {"retriever": retriever, "distilled": True}
    return serving.RankingService(
        shop.shop().ranker,
        dataset(expires),
        more=more,
        filters=["brand"],
        order=ORDER,
        **found,
    )


@functools.cache
def written(found_by="anchors"):
    """A bundle, as it was written and read again."""
    folder = shop.small.folder() / f"added-{found_by}"
    made = service(found_by=found_by)
    write_model(made, folder, made.signatures())
    return folder


def request(**choice):
    rows = np.array([3, 40, 90])
    asked = serving.requests.without_candidates(
        shop.dataset().schema, serving.replay(shop.dataset(), rows)
    )
    return {
        **asked,
        "exclude_ads": np.zeros([3, 0], object),
        "exclude_history": np.zeros(3, bool),
        "k": np.array([11, 4, 6], np.int32),
        "allow_brand": np.zeros([3, 0], object),
        "cap_brand": np.array([0, 1, 2], np.int32),
        "diversity": np.array([0, 0.5, 0.3], np.float32),
        **choice,
    }


def tensors(request):
    return {name: tf.constant(values) for name, values in request.items()}


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(learn_anchors, "_STEPS", 30)


def test_nothing_is_copied_when_a_table_is_read(quick):
    """Two reads share their memory, until a variable is gathered from."""
    made = service()
    made.recommend(
        **tensors(request(allow_brand=np.full([3, 1], "b1", object)))
    )
    tables = [v for v in made.variables if v.shape.rank and not v.shape[0]]
    numbers = [v for v in tables if v.dtype != tf.string]
    assert len(numbers) >= 10
    for table in numbers:
        reads = [np.asarray(table.read_value()) for _ in range(2)]
        assert np.shares_memory(*reads), table.name
    # The vectors by row are those of the index.
    vectors = made.finder.vectors
    rows = np.array([[2, 0, 7], [1, 9, 9]], np.int32)
    np.testing.assert_allclose(
        vectors.of_rows(tf.constant(rows)), vectors.catalogue()[rows], rtol=1e-5
    )


def plain(found_by=None, expires=None):
    """A service in Python: of all ads, of a retriever or of anchors."""
    if found_by == "anchors":
        return service(expires=expires)
    settings = {"filters": ["brand"]} if found_by else {}
    return serving.RankingService(
        shop.shop().ranker,
        dataset(expires),
        retriever=retriever_of(shop.dataset()) if found_by else None,
        **settings,
    )


def given(made, **choice):
    """The ads that each signature gives, whoever asks for all of them."""
    asked = request(k=np.full(3, 9, np.int32), **choice)
    order = made.order.specs()
    asked |= {
        name: np.zeros(3, spec.dtype.as_numpy_dtype)
        for name, spec in order.items()
    }
    user = {n: v for n, v in asked.items() if n in made._requests.user_specs()}
    own = {"exclude_ads", "exclude_history", "k", *made.expiry_specs}
    user |= {name: asked[name] for name in own}
    filters = made.finder.specs() if made.finder else {}
    filters = {name: asked[name] for name in filters}
    order = {name: asked[name] for name in order}
    slate = np.tile(shop.dataset().catalogue.ad_ids, (3, 1))
    bids = np.ones(slate.shape, np.float32)
    slate = serving.with_candidates(shop.dataset(), asked, slate)
    slate = {n: slate[n] for n in made._requests.candidate_specs(2)}
    found = {
        "recommend": made.recommend(**tensors(user | filters | order)),
        "recommend_from": made.recommend_from(
            **tensors(user | order | slate | {"bids": bids})
        ),
    }
    if made.finder:
        found["retrieve"] = made.retrieve(**tensors(user | filters))
    return {
        name: [set(ids) - {b""} for ids in answer["ad_ids"].numpy().tolist()]
        for name, answer in found.items()
    }


@pytest.mark.parametrize(
    "found_by",
    [None, "clicks", pytest.param("anchors", marks=pytest.mark.slow)],
)
def test_who_was_removed_or_has_expired_is_given_by_nothing(quick, found_by):
    """Also with a filter, in two searches, and where a client names it.

    Who is removed is scored still, as histories name it.
    """
    ads = shop.dataset().catalogue.ad_ids
    expires = np.full(9, retrieval.FOREVER)
    expires[[1, 3]] = [100, 200]
    made = plain(found_by, expires)
    # However early it was, it is there to be removed.
    early = plain(found_by, np.where(np.arange(9) < 3, [0, -5, 1] * 3, expires))
    for some in (["a0", "a1", "a2", "a3"], ["a0", "a1"]):
        named = tf.constant(["a0", "a1", "a2", "x"])
        told = early._changer.has(new_ads=named).numpy().tolist()
        assert told == [ad in some for ad in ("a0", "a1", "a2", "x")]
        early._changer.remove(new_ads=tf.constant(["a2"]))
    everybody = {ad.encode() for ad in ads}
    now = {"now_seconds": np.array([99, 100, 200])}
    left = [everybody, everybody - {b"a1"}, everybody - {b"a1", b"a3"}]
    for name, found in given(made, **now).items():
        assert found == left, name
    slate = serving.with_candidates(
        shop.dataset(), request(), np.tile(ads, (3, 1))
    )
    slate = tensors(
        {
            name: slate[name]
            for name in made._requests.user_specs()
            | made._requests.candidate_specs(2)
        }
    )
    before = made.score_slate(**slate)["score"].numpy()
    made._changer.remove(new_ads=tf.constant(["a4", "a0"]))
    told = made._changer.has(new_ads=tf.constant(["a4", "a5", "a0", "x", ""]))
    assert told.numpy().tolist() == [False, True, False, False, False]
    gone = {b"a4", b"a0"}
    for name, found in given(made, **now).items():
        assert found == [each - gone for each in left], name
    np.testing.assert_array_equal(made.score_slate(**slate)["score"], before)
    if made.finder:
        # Of this brand are a1, a4 and a7.
        brand = {"allow_brand": np.full([3, 1], "b1", object)}
        for name, found in given(made, **now, **brand).items():
            if name != "recommend_from":
                assert found == [{b"a1", b"a7"}, {b"a7"}, {b"a7"}], name
    # The server's clock, which is past 1970 and before the year 9999.
    asked = {"now_seconds": np.zeros(3, np.int64)}
    for name, found in given(made, **asked).items():
        assert found == 3 * [left[2] - gone], name


@pytest.mark.parametrize(
    "found_by", ["retriever", pytest.param("anchors", marks=pytest.mark.slow)]
)
def test_it_answers_as_a_bundle_that_was_exported_with_them(quick, found_by):
    loaded = tf.saved_model.load(written(found_by))
    schema = shop.dataset().schema
    put = functools.partial(_put, loaded, schema=schema)
    assert put(new_ads(), replace=False) == (("new-4", "new-1"), ())
    assert put(new_ads(), replace=False) == ((), ())
    never = dataclasses.replace(
        new_ads(), expires=np.full(3, retrieval.FOREVER)
    )
    with pytest.raises(InputError, match="times for one that was not"):
        put(never, replace=True)
    told = serving.answers(loaded, loaded.signatures)
    ask = told["recommend"]
    made = service(new_ads().take(np.array([0, 1])), found_by=found_by)
    fresh = serving.answers(made, made.signatures("recommend", "retrieve"))
    expected = fresh["recommend"]
    # Of one history they are, too.
    past = request()["history_ads"]
    past[1] = np.resize(["new-4", "new-1", "a2"], len(past[1]))
    for asked in (request(), request(history_ads=past)):
        check_equal(ask(**asked), expected(**asked))
        if found_by == "retriever":  # anchors learn of other ads otherwise
            asked = {name: asked[name] for name in told["retrieve"].inputs}
            check_equal(told["retrieve"](**asked), fresh["retrieve"](**asked))
    assert {b"new-4", b"new-1"} <= set(ask(**request())["ad_ids"][0])
    # Two of the new ones and two of the old ones are like each other.
    assert put(swapped_ads(), replace=False) == ((), ())
    check_equal(ask(**request()), expected(**request()))
    back = dataclasses.replace(new_ads(), ad_ids=new_ads().ad_ids[[1, 0, 2]])
    assert put(back, replace=True) == ((), ("new-1", "new-4", "a0"))
    found = ask(**request(allow_brand=np.full([3, 1], "b0", object)))
    # What was "new-4" of b1 has the columns of "new-1", and so has a0 its own.
    assert not {b"new-4", b"new-1"} & set(found["ad_ids"].ravel())
    # An ad that was removed and is put again is there, like any other.
    assert _remove(loaded, ("new-1", "a0")) == (("new-1", "a0"), 0)
    assert not {b"new-1", b"a0"} & set(ask(**request())["ad_ids"].ravel())
    assert put(new_ads(), replace=False) == (("new-1", "a0"), ())
    assert {b"new-1", b"a0"} <= set(ask(**request())["ad_ids"][0])


def test_bids_below_0_are_refused(quick):
    """As those of a request are; here no lower end of the prices cuts them."""
    loaded = tf.saved_model.load(written("retriever"))
    schema = shop.dataset().schema
    cheap = dataclasses.replace(
        new_ads(), columns={**new_ads().columns, "price": np.full(3, -9.0)}
    )
    prices = [dataclasses.replace(f, low=None) for f in schema.features]
    free = dataclasses.replace(schema, features=tuple(prices))
    with pytest.raises(
        InputError, match=r"here of `price`, must be >= 0\. R.*3 new"
    ):
        _put(loaded, cheap, free, replace=True)


def check_equal(found, expected):
    np.testing.assert_array_equal(found["ad_ids"], expected["ad_ids"])
    for name, values in expected.items():
        if name != "ad_ids":
            np.testing.assert_allclose(found[name], values, rtol=1e-4)


@pytest.mark.slow
def test_changed_ads_take_the_place_of_their_old_ones(quick):
    """Like an ad of the same columns that a bundle never had otherwise.

    It is encoded with the unknown id, as new ads are; so an ad that takes its
    own place is as one beside it with a new id.
    """
    loaded = tf.saved_model.load(written())
    swapped = swapped_ads()
    other = dataclasses.replace(
        swapped, ad_ids=np.array(["x-2", "x-5"], object)
    )
    schema = shop.dataset().schema
    assert _put(loaded, swapped, schema, replace=True) == ((), ("a2", "a5"))
    assert _put(loaded, other, schema, replace=True) == (("x-2", "x-5"), ())
    ask = serving.answers(loaded, loaded.signatures)
    # Each ad stands in the answer once.
    ids = ask["recommend"](**request())["ad_ids"][0].tolist()
    assert len(set(ids)) == len(ids) == 11
    specs = loaded.signatures["retrieve"].structured_input_signature[1]
    found = ask["retrieve"](**{n: request()[n] for n in specs})
    score = dict(zip(found["ad_ids"][0], found["scores"][0], strict=True))
    # With the same features, and so the same inner products.
    pairs = [
        (i.encode(), o.encode())
        for i, o in zip(swapped.ad_ids, other.ad_ids, strict=True)
    ]
    for own, same in pairs:
        np.testing.assert_allclose(score[own], score[same], rtol=1e-5)
    slate = serving.with_candidates(
        shop.dataset(), request(), np.array(3 * [["a2", "x-2", "a5", "x-5"]])
    )
    specs = loaded.signatures["score_slate"].structured_input_signature[1]
    told = ask["score_slate"](**{name: slate[name] for name in specs})
    np.testing.assert_allclose(
        told["score"][:, ::2], told["score"][:, 1::2], rtol=1e-5
    )
    assert (told["score"][:, 0] != told["score"][:, 2]).all()


@pytest.mark.slow
def test_a_version_with_other_ads(tmp_path, quick, caplog):
    """It loads through the session, is the canary, and its files are whole."""
    folder = tmp_path / "shop"
    old = serving.export_bundle(
        shop.shop().ranker,
        dataset(np.full(9, 4_000_000_000)),
        folder,
        order=ORDER,
        anchors=shop.dataset(),
        train=shop.dataset(),
    )
    schema = shop.dataset().schema
    with pytest.raises(InputError, match=r"no expires_seconds.*--expires"):
        serving.change_ads(folder, add=new_ads(), schema=schema)
    ads = dataclasses.replace(
        new_ads(), expires=np.array([5_000, 6_000, 7_000])
    )
    made = serving.change_ads(folder, add=ads, schema=schema, remove=["a3"])
    new = made.folder
    assert (new.name, made.added, made.removed) == ("2", 2, 1)
    assert (made.replaced, made.unknown) == (0, 0)
    labels = read_labels(folder)
    assert labels == {"stable": 1, "canary": 2}
    assert (new / "manifest.json").exists()
    compared = json.loads((old / "parity.json").read_text())
    told = json.loads((new / "parity.json").read_text())
    assert told == {**compared, "compared_version": 1}
    assert not list(bundle_checks.unchecked(new))
    # Who watches requests takes no ad for unknown that has joined.
    known = Profile.load(new).ids["ads"].has(["new-4", "new-1", "a3", "x"])
    assert known.tolist() == [True, True, True, False]
    asked = request(now_seconds=np.array([4_999, 5_999, 6_000]))
    asked["k"][:] = 11
    asked["cap_brand"][:] = asked["diversity"][:] = 0
    del asked["allow_brand"]
    before, after = (
        serving.open_bundle(each)["recommend"](**asked) for each in (old, new)
    )
    assert not {b"new-4", b"new-1"} & set(before["ad_ids"][0])
    assert b"a3" in before["ad_ids"][0]
    told = [set(ids) for ids in after["ad_ids"].tolist()]
    assert {b"new-4", b"new-1"} <= told[0]
    assert {b"new-4", b"new-1"} & told[1] == {b"new-1"}
    assert not {b"new-4", b"new-1"} & told[2]
    assert not any(b"a3" in each for each in told)
    # A server's loader, which has no Python objects.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(new))
        told = meta.signature_def["recommend"]
        ids = session.run(
            told.outputs["ad_ids"].name,
            {told.inputs[name].name: v for name, v in asked.items()},
        )
    np.testing.assert_array_equal(ids, after["ad_ids"])
    # Twice: a version that was changed is changed again.
    again = dataclasses.replace(
        ads, ad_ids=np.array(["x-1", "new-1", "a3"], object)
    )
    made = serving.change_ads(folder, add=again, schema=schema, replace=True)
    assert (made.added, made.replaced) == (2, 1)
    told = "1 of the ads to add were taken down before, and are given again"
    assert f"{told}, such as a3." in caplog.text
    # All that a bundle does is what it did when it was exported.
    graphs = {each.read_bytes() for each in folder.glob("*/saved_model.pb")}
    assert len(graphs) == 1


def of_words(dataset=None, more=None, **settings):
    """A service whose retriever reads the copy of a dataset's ads."""
    world = worlds.words()
    retriever = retriever_of(dataset or world.dataset, **settings)
    return serving.RankingService(
        *(world.ranker, world.dataset),
        **world.text,
        more=more,
        retriever=retriever,
        order=serving.OrderSettings(diversify="text"),
    )


def put_beside(exported, changed, more, schema):
    """Has ads join one service, whose retriever then knows what another does.

    The other one was made with them.
    """
    specs = changed._changer.specs()
    put = _columns(more, schema)
    given = {n: tf.constant(put[n].tolist(), s.dtype) for n, s in specs.items()}
    assert int(changed._changer.put(**given)) == len(more)
    for table in ("_history", "_biases"):
        expected, found = (
            getattr(service.finder.vectors, table).numpy()
            for service in (exported, changed)
        )
        assert len(found) == len(expected)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_retriever_and_the_order_read_the_copy_of_ads_that_join():
    """As those of an export with them; both ads have the unknown id."""
    world = worlds.words()
    some = world.dataset.catalogue.take(np.array([4, 1]))
    more = dataclasses.replace(some, ad_ids=np.array(["n4", "n1"], object))
    exported, changed = of_words(more=more), of_words()
    put_beside(exported, changed, more, world.dataset.schema)
    expected, found = (
        service.order._units.numpy()[-2:].astype(int)
        for service in (exported, changed)
    )
    assert np.abs(found - expected).max() <= 1  # of 127, where it is rounded
    assert found.any(1).all()


def test_ads_are_unlike_by_the_copy_that_the_ranker_knows():
    """As a run has it: its dataset does not hold the vectors of the copy."""
    world = worlds.words()
    catalogue = world.dataset.catalogue
    columns = {k: v for k, v in catalogue.columns.items() if k != "text"}
    features = [f for f in catalogue.features if f.tensor != "text"]
    plain = dataclasses.replace(
        catalogue, columns=columns, features=tuple(features)
    )
    order = serving.OrderSettings(diversify="text")
    units = [
        serving.RankingService(
            world.ranker, dataset, **world.text, order=order
        ).order._units.numpy()
        for dataset in (world.dataset, world.dataset.with_catalogue(plain))
    ]
    assert units[0][1:].any(1).all()
    np.testing.assert_array_equal(*units)


def test_a_retriever_reads_what_its_ranker_does_not():
    found = shop.dataset()
    features = [f for f in found.catalogue.features if f.name != "img"]
    less = dataclasses.replace(found.catalogue, features=tuple(features))
    ranker = shop.ranker_of(found.with_catalogue(less))
    more = new_ads().take(np.array([0, 1]))
    exported, changed = (
        serving.RankingService(
            ranker, found, more=ads, retriever=retriever_of(found)
        )
        for ads in (more, None)
    )
    put_beside(exported, changed, more, found.schema)


def test_a_retriever_that_cannot_read_new_ads_takes_none():
    """It reads other vectors of the copy, or those of no ranker, or ids."""
    dataset = worlds.words().dataset
    assert of_words()._changer.takes_ads
    text = dataset.catalogue.columns["text"]
    for other in (2 * text, text[:, :-1]):
        catalogue = dataset.catalogue.with_vectors("text", other)
        service = of_words(dataset.with_catalogue(catalogue))
        assert not service._changer.takes_ads
    plain = of_words().finder.vectors._reader
    reads = shop.shop().reader
    assert not plain.agrees(reads)
    assert reads.agrees(plain)
    catalogue = dataclasses.replace(dataset.catalogue, features=(), columns={})
    service = of_words(dataset.with_catalogue(catalogue))
    assert not service._changer.takes_ads


class Loaded:
    """A bundle of the ads a0 to a29, or 0 to 29."""

    def __init__(self, dtype):
        self.known = tf.as_string(tf.range(30))
        if dtype == tf.string:
            self.known = "a" + self.known
        else:
            self.known = tf.range(30, dtype=tf.int64)
        self.removed = []
        traced = tf.function(self._has).get_concrete_function(
            new_ads=tf.TensorSpec([None], dtype, "new_ads")
        )
        self.has_ads = lambda new_ads: traced(new_ads=new_ads)
        self.has_ads.concrete_functions = [traced]

    def _has(self, *, new_ads):
        return tf.reduce_any(new_ads[:, None] == self.known, axis=1)

    def remove_ads(self, new_ads):
        self.removed += new_ads.numpy().tolist()


def test_unknown_ads_are_told(caplog):
    loaded = Loaded(tf.string)
    ids = [f"a{n}" for n in range(20)]
    named = loaded_ads.typed(loaded, [*ids, "a1", "z", "y"])
    assert _remove(loaded, named) == (tuple(ids), 2)
    assert "2 of 22 ads to remove are not there, such as z, y." in caplog.text
    assert loaded.removed == [i.encode() for i in ids]
    loaded = Loaded(tf.int64)
    assert loaded_ads.typed(loaded, ["003", 4, 3]) == (3, 4)
    assert _remove(loaded, (3, 4)) == ((3, 4), 0)
    assert loaded.removed == [3, 4]
    assert _remove(loaded, ()) == ((), 0)
    assert _remove(loaded, (4431,), (4431,)) == ((), 0)


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        (["a0", "z"], r"for a tenth.*Received: 1 of 2 that are not.*as z\."),
        (["z"], "Received: 1 of 1 that are not"),
        (
            ["gone.txt"],
            r"such as gone\.txt\. No file gone\.txt is there either",
        ),
        (["a/b"], r"No file a/b is there"),
    ],
)
def test_much_that_is_unknown_is_refused(remove, message):
    loaded = Loaded(tf.string)
    with pytest.raises(InputError, match=message):
        _remove(loaded, tuple(remove))
    assert not loaded.removed


def test_a_bundle_that_cannot_encode_ads_takes_none():
    with pytest.raises(InputError, match=r"by more than their ids.*--anchors"):
        _put(Loaded(tf.string), new_ads(), shop.dataset().schema, replace=True)


@pytest.mark.parametrize("given", ["a0", "1_000", "9223372036854775808"])
def test_ids_of_another_type_are_refused(given):
    with pytest.raises(InputError, match=f"64-bit integers .*: '{given}'"):
        loaded_ads.typed(Loaded(tf.int64), [given])


@pytest.mark.parametrize("given", [None, True, 17.0, b"a", ["a"]])
def test_what_is_no_id_is_refused(given):
    for dtype in (tf.int64, tf.string):
        with pytest.raises(InputError, match="ids are texts or integers"):
            loaded_ads.typed(Loaded(dtype), [given])
