"""Ads that join an exported bundle, against an export that has them."""

import dataclasses
import functools

import numpy as np
import pytest

from tests.serving import shop
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.serving import learn_anchors
from tfadrec.serving.add_ads import _add
from tfadrec.serving.deployment import read_labels
from tfadrec.serving.write_model import write_model

ORDER = serving.OrderSettings("price", "img", ("brand",))


def new_ads():
    """Two ads like others of the shop, under other names, and a known one."""
    more = shop.dataset().catalogue.take(np.array([4, 1, 0]))
    ids = np.array(["new-4", "new-1", *more.ad_ids[2:]], object)
    return dataclasses.replace(more, ad_ids=ids)


def service(more=None):
    return serving.RankingService(
        shop.shop().ranker,
        shop.dataset(),
        more=more,
        filters=["brand"],
        order=ORDER,
        anchors=shop.dataset(),
    )


@functools.cache
def written():
    """A bundle, as it was written and read again."""
    folder = shop.small.folder() / "added"
    made = service()
    write_model(made, folder, made.signatures())
    return folder


def request(**choice):
    dataset = shop.dataset()
    rows = np.array([3, 40, 90])
    asked = serving.requests.without_candidates(
        dataset.schema, serving.replay(dataset, rows)
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


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(learn_anchors, "_STEPS", 30)


def test_nothing_is_copied_when_a_table_is_read(quick):
    """Two reads share their memory, until a variable is gathered from."""
    made = service()
    asked = request(allow_brand=np.full([3, 1], "b1", object))
    made.recommend(**{name: tf.constant(v) for name, v in asked.items()})
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


@pytest.mark.slow
def test_it_answers_as_a_bundle_that_was_exported_with_them(quick):
    loaded = tf.saved_model.load(written())
    schema = shop.dataset().schema
    assert _add(loaded, new_ads(), schema) == 2
    assert _add(loaded, new_ads(), schema) == 0
    found = serving.answers(loaded, loaded.signatures)["recommend"](**request())
    made = service(new_ads().take(np.array([0, 1])))
    ask = serving.answers(made, made.signatures("recommend"))["recommend"]
    expected = ask(**request())
    assert {b"new-4", b"new-1"} <= set(found["ad_ids"][0])
    np.testing.assert_array_equal(found["ad_ids"], expected["ad_ids"])
    for name, values in expected.items():
        if name != "ad_ids":
            np.testing.assert_allclose(found[name], values, rtol=1e-4)


@pytest.mark.slow
def test_a_version_with_more_ads(tmp_path, quick):
    """It loads through the session, is the canary, and its files are whole."""
    folder = tmp_path / "shop"
    old = serving.export_bundle(
        shop.shop().ranker,
        shop.dataset(),
        folder,
        order=ORDER,
        anchors=shop.dataset(),
    )
    schema = shop.dataset().schema
    new, count = serving.add_ads(folder, new_ads(), schema)
    assert (new.name, count) == ("2", 2)
    labels = read_labels(folder)
    assert labels == {"stable": 1, "canary": 2}
    assert (new / "manifest.json").exists()
    assert not (new / "parity.json").exists()
    asked = request()
    del asked["allow_brand"]
    before, after = (
        serving.open_bundle(each)["recommend"](**asked) for each in (old, new)
    )
    assert not {b"new-4", b"new-1"} & set(before["ad_ids"][0])
    assert {b"new-4", b"new-1"} <= set(after["ad_ids"][0])
    # A server's loader, which has no Python objects.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(new))
        told = meta.signature_def["recommend"]
        ids = session.run(
            told.outputs["ad_ids"].name,
            {told.inputs[name].name: v for name, v in asked.items()},
        )
    np.testing.assert_array_equal(ids, after["ad_ids"])
    # Twice: a version that was added to is added to again.
    again = dataclasses.replace(
        new_ads(), ad_ids=np.array(["x-1", "new-1", "x-2"], object)
    )
    assert serving.add_ads(folder, again, schema)[1] == 2
