"""More ads and users: old rows and slots bit by bit, and training goes on."""

import dataclasses
import functools
import re

import numpy as np
import pytest

from tests.data import dataset_folder, rich_dataset
from tests.training import small
from tfadrec import data, training
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.data.sources import prepare_table

OPTIMIZERS = {
    "LazyAdam": {"class": "LazyAdam", "learning_rate": 0.01},
    "Adagrad": {"class": "Adagrad", "learning_rate": 0.01},
    "composite": {
        "class": "CompositeOptimizer",
        "groups": {"user_tower/id": {"class": "Adagrad"}},
        "default": {"class": "LazyAdam"},
    },
}


def known():
    """The first world, without some of its ads and users."""
    return without_some(grown())


def without_some(dataset):
    """The dataset that was there before; and the rows that it had, in it."""
    keep = np.flatnonzero(np.arange(len(dataset.catalogue)) % 5 != 2)
    users = np.flatnonzero(np.arange(len(dataset.user_ids)) % 7 != 3)
    # Rows of the impressions that are known, under their new numbers.
    ad_rows = np.zeros(len(dataset.catalogue) + 1, np.int32)
    ad_rows[keep + 1] = np.arange(1, len(keep) + 1)
    user_rows = np.zeros(len(dataset.user_ids) + 1, np.int32)
    user_rows[users + 1] = np.arange(1, len(users) + 1)
    shown = dataset.impressions
    log = dataset.events
    return dataclasses.replace(
        dataset,
        catalogue=dataset.catalogue.take(keep),
        user_ids=dataset.user_ids[users],
        users={
            name: column[np.append(0, users + 1)]
            for name, column in dataset.users.items()
        },
        events=dataclasses.replace(log, ads=ad_rows[log.ads]),
        impressions=dataclasses.replace(
            shown, ads=ad_rows[shown.ads], users=user_rows[shown.users]
        ),
    ), (np.append(0, keep + 1), np.append(0, users + 1))


def grown():
    return data.open_dataset(small.world()).with_history_length(6)


#: The third has groups of both the others' kinds.
EVERY = [
    *(pytest.param(n, marks=pytest.mark.slow) for n in ("LazyAdam", "Adagrad")),
    "composite",
]


@functools.cache
def trained(optimizer):
    """A ranker, which nothing here changes, its dataset, and its rows."""
    dataset, rows = known()
    config = dataclasses.replace(
        small.config(), optimizer=OPTIMIZERS[optimizer]
    )
    ranker = training.build_ranker(config, dataset)
    users = ranker.user_tower
    slopes = np.random.default_rng(0).normal(
        size=[users.num_users, users.num_slopes]
    )
    users.slopes.assign(slopes * (np.arange(len(slopes)) > 0)[:, None])
    with small.untraced():
        ranker.fit(dataset.batches(64, seed=0), steps_per_epoch=4, verbose=0)
    return ranker, dataset, rows


def pairs(ranker, more):
    """Old and new variables of model and optimiser; Keras numbers names."""
    of = [[*r.variables, *r.optimizer.variables] for r in (ranker, more)]
    assert [_unnumbered(v) for v in of[0]] == [_unnumbered(v) for v in of[1]]
    return zip(*of, strict=True)


def _unnumbered(variable):
    return re.sub(r"dense(_\d+)?", "dense", variable.name)


@pytest.mark.parametrize("optimizer", EVERY)
def test_old_rows_and_slots_are_kept_bit_by_bit(optimizer):
    ranker, dataset, (ads, users) = trained(optimizer)
    before = [v.numpy() for v in ranker.variables]
    more = training.grow_vocabulary(ranker, dataset, grown())
    weights = {v.name for v in ranker.variables}
    moved = 0
    for variable, other in pairs(ranker, more):
        name, old, new = variable.name, variable.numpy(), other.numpy()
        if not re.search("id/(embedding_and_bias|slopes)", name):
            if "_table" not in name:
                np.testing.assert_array_equal(new, old, name)
            continue
        moved += 1
        rows, number = (ads, 21) if "ad_tower" in name else (users, None)
        assert len(new) == (number or len(grown().user_ids) + 1) > len(old)
        np.testing.assert_array_equal(new[rows], old, name)
        others = np.setdiff1d(np.arange(len(new)), rows)
        is_weight = name in weights
        assert is_weight or abs(old[1:]).max() > 0, name
        # What an optimiser starts with: 0, and 0.1 for Adagrad.
        start = old[0] if is_weight else (0.1 if "accumulator" in name else 0)
        np.testing.assert_array_equal(
            new[others], np.broadcast_to(np.float32(start), new[others].shape)
        )
    # Two tables, and two slots of Adam or one of Adagrad for each; and slopes.
    slots = {"LazyAdam": 4, "Adagrad": 2, "composite": 3}[optimizer]
    assert moved == 3 + slots
    for variable, value in zip(ranker.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def in_grown(inputs, ads, users):
    """The same inputs, whose ads and users have the rows of `grown()`."""
    again = dict(inputs)
    for name, rows in (
        ("history_ads", ads),
        ("candidate_ads", ads),
        ("user_id", users),
    ):
        again[name] = tf.gather(tf.constant(rows, tf.int32), inputs[name])
    return again


def test_it_ranks_as_before_and_has_the_columns_of_the_new():
    ranker, dataset, (ads, _) = trained("composite")
    more = training.grow_vocabulary(ranker, dataset, grown())
    inputs, _ = next(iter(dataset.batches(50)))
    _, users = known()[1]
    again = in_grown(inputs, ads, users)
    np.testing.assert_array_equal(
        ranker(inputs)["clicked"], more(again)["clicked"]
    )
    # A new ad: the unknown id, with the columns that it has.
    tower, columns = more.ad_tower, grown().catalogue.tables()
    row = tf.constant([3])
    assert 3 not in ads
    found = tower.columns(row)
    assert grown().catalogue.columns
    for name in grown().catalogue.columns:
        np.testing.assert_array_equal(found[name][0], columns[name][3])
    np.testing.assert_array_equal(
        found["id"], tower.columns(tf.constant([0]))["id"]
    )


@pytest.mark.parametrize("optimizer", EVERY)
def test_training_goes_on(optimizer, untraced, tmp_path):
    """From the steps so far, also after a save and a reload."""
    ranker, dataset, _ = trained(optimizer)
    more = training.grow_vocabulary(ranker, dataset, grown())
    assert more.optimizer.iterations.numpy() == 4
    kept = more.ad_tower.columns(tf.range(21))["id"].numpy()
    more.fit(grown().batches(64, seed=1), steps_per_epoch=4, verbose=0)
    assert more.optimizer.iterations.numpy() == 8
    learned = more.ad_tower.columns(tf.range(21))["id"].numpy()
    assert abs(learned - kept)[3].max() > 0  # row 3 is new
    more.save(tmp_path / "more.keras")
    again = keras.models.load_model(tmp_path / "more.keras")
    inputs, _ = next(iter(grown().batches(20)))
    np.testing.assert_array_equal(
        more(inputs)["clicked"], again(inputs)["clicked"]
    )


def test_what_does_not_grow():
    ranker, dataset, _ = trained("composite")
    everything = grown()
    with pytest.raises(InputError, match="Received: 4 ads fewer, such as"):
        training.grow_vocabulary(ranker, everything, dataset)
    fewer = dataclasses.replace(everything, user_ids=everything.user_ids[1:])
    with pytest.raises(InputError, match="1 users fewer"):
        training.grow_vocabulary(ranker, everything, fewer)
    other = dataclasses.replace(
        everything,
        schema=dataclasses.replace(everything.schema, event_types=("view",)),
    )
    with pytest.raises(InputError, match="Received: other event_types"):
        training.grow_vocabulary(ranker, dataset, other)
    other = dataclasses.replace(
        everything, schema=dataclasses.replace(everything.schema, features=())
    )
    with pytest.raises(InputError, match="Received: other features"):
        training.grow_vocabulary(ranker, dataset, other)
    vectors = everything.catalogue.with_vectors("text", np.ones([20, 2]))
    other = everything.with_catalogue(vectors)
    with pytest.raises(InputError, match="Received: other columns of ads"):
        training.grow_vocabulary(ranker, dataset, other)


def test_features_of_all_entities(tmp_path):
    """Columns of new ads are there; users' come with the batches."""
    everything = rich_dataset.make(tmp_path, users=12)
    dataset, (ads, _) = without_some(everything)
    assert len(dataset.user_ids) < 12
    ranker = training.build_ranker(small.config(), dataset)
    ranker.run_eagerly = True  # tracing so many features takes seconds
    ranker.fit(dataset.batches(32, seed=0), steps_per_epoch=2, verbose=0)
    more = training.grow_vocabulary(ranker, dataset, everything)
    more.run_eagerly = True
    for variable, other in pairs(ranker, more):
        if "_table" not in variable.name and "id/" not in variable.name:
            np.testing.assert_array_equal(variable, other, variable.name)
    # Of rows that only had known ads and users the score is the same.
    shown = dataset.impressions
    same = (shown.ads > 0) & (shown.users > 0)
    [(inputs, *_)] = dataset.select(same).batches(10**6)
    [(again, *_)] = everything.select(same).batches(10**6)
    again["history_ads"] = tf.gather(
        tf.constant(ads, tf.int32), inputs["history_ads"]
    )
    assert 20 < same.sum() < len(dataset)
    for name in everything.users:
        np.testing.assert_array_equal(inputs[name], again[name])
    np.testing.assert_array_equal(
        ranker(inputs)["clicked"], more(again)["clicked"]
    )
    tables, found = (
        everything.catalogue.tables(),
        more.ad_tower.columns(tf.range(11)),
    )
    for name, column in tables.items():
        np.testing.assert_array_equal(found[name], column)
    more.fit(everything.batches(32, seed=1), steps_per_epoch=1, verbose=0)
    more.save(tmp_path / "more.keras")
    loaded = keras.models.load_model(tmp_path / "more.keras")
    np.testing.assert_array_equal(
        more(again)["clicked"], loaded(again)["clicked"]
    )


def test_values_and_event_types_that_come_after_the_known_ones(tmp_path):
    """Their rows are new in every table; all other numbers stay."""
    one = rich_dataset.make(tmp_path / "one", users=8)
    features = tuple(
        dataclasses.replace(f, vocabulary=(*f.vocabulary, "zz", "odd"))
        if f.vocabulary
        else f
        for f in rich_dataset.FEATURES
    )
    schema = rich_dataset.schema(
        features=features, event_types=("view", "click", "odd")
    )
    dataset_folder.write(
        tmp_path / "more", rich_dataset.tables(users=8), schema
    )
    more_values = data.open_dataset(tmp_path / "more").with_history_length(4)
    ranker = training.build_ranker(small.config(), one)
    ranker.run_eagerly = True
    ranker.fit(one.batches(32, seed=0), steps_per_epoch=2, verbose=0)
    more = training.grow_vocabulary(ranker, one, more_values)
    grown_tables = 0
    for variable, other in pairs(ranker, more):
        old, new = variable.numpy(), other.numpy()
        if "_table" in variable.name:
            continue
        if old.shape != new.shape:
            grown_tables += 1
            assert old.shape[1:] == new.shape[1:]
            assert len(new) - len(old) in (1, 2)  # types, values
            new = new[: len(old)]
        np.testing.assert_array_equal(new, old, variable.name)
    assert grown_tables >= 3 * 5  # weights and two slots of each
    # Rows without one of the new values have the score that they had.
    [(inputs, *_)] = one.batches(10**6)
    [(again, *_)] = more_values.batches(10**6)
    tables = [d.catalogue.tables() for d in (one, more_values)]
    alike = np.array(  # ads without one
        [
            all(
                np.array_equal(column[row], tables[1][name][row], True)
                for name, column in tables[0].items()
            )
            for row in range(len(one.catalogue) + 1)
        ]
    )
    ads = [np.asarray(inputs[f"{of}_ads"]) for of in ("history", "candidate")]
    same = alike[ads[0]].all(axis=1) & alike[ads[1]]
    for name, column in inputs.items():
        column, other = (
            np.asarray(c).reshape(len(one), -1) for c in (column, again[name])
        )
        same &= ((column == other) | (column != column)).all(axis=1)
    scores = [
        np.asarray(r(i)["clicked"])[same]
        for r, i in ((ranker, inputs), (more, again))
    ]
    assert 3 < same.sum() < len(one)
    np.testing.assert_array_equal(*scores)
    more.run_eagerly = True
    more.fit(more_values.batches(32, seed=1), steps_per_epoch=1, verbose=0)


def test_a_later_day_that_is_prepared_like_the_first(untraced, tmp_path):
    """New rows move the mean of a number, unless the first one is kept."""
    rows = [f"u{i % 4},a{i % 2},{i},{i % 3 % 2},{i % 24}" for i in range(60)]
    header = "user,ad,time,click,hour"
    (tmp_path / "ads.csv").write_text("id,name\na0,red\na1,blue\n")
    (tmp_path / "shop.yaml").write_text(
        "ads: {file: ads.csv, ad_id: id, title: name}\n"
        "impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: "
        "time, clicked: click, numeric: [hour]}\n"
    )

    def prepared(out, lines, **settings):
        (tmp_path / "log.csv").write_text("\n".join([header, *lines]))
        prepare_table(tmp_path / "shop.yaml", tmp_path / out, **settings)
        return data.open_dataset(tmp_path / out).with_history_length(6)

    first = prepared("one", rows)
    config = small.config(fit={"epochs": 1})
    run = training.train(
        tmp_path / "one", config, tmp_path / "run", progress=False
    )
    later = [*rows, "u9,a1,99,1,23"]
    with pytest.raises(InputError, match="Received: other features"):
        training.grow_vocabulary(run.ranker, first, prepared("two", later))
    fits = prepared("three", later, like=tmp_path / "one")
    ranker = training.grow_vocabulary(run.ranker, first, fits)
    assert len(fits.user_ids) == len(first.user_ids) + 1
    inputs, _ = next(iter(fits.batches(len(fits))))
    before, _ = next(iter(first.batches(len(first))))
    scores = np.asarray(ranker.predict_on_batch(inputs)["clicked"])
    known = np.asarray(run.ranker.predict_on_batch(before)["clicked"])
    np.testing.assert_allclose(scores[: len(known)], known, atol=1e-6)


def test_a_feature_with_the_name_of_a_table(tmp_path):
    """Its values have rows of their own, and are no ads."""
    rows = [f"u{i % 4},a{i % 7},{i},{i % 2},f{i % 3}" for i in range(40)]
    header = "user,ad,time,click,factors of it"
    (tmp_path / "log.csv").write_text("\n".join([header, *rows]))
    (tmp_path / "shop.yaml").write_text(
        "ads: {file: log.csv, deduplicate: true, ad_id: ad, features: "
        "{factors of it: category}}\n"
        "impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: "
        "{column: time, unit: s}, clicked: click}\n"
    )
    prepare_table(tmp_path / "shop.yaml", tmp_path / "data")
    dataset = data.open_dataset(tmp_path / "data").with_history_length(0)
    ranker = training.build_ranker(small.config(), dataset)
    more = training.grow_vocabulary(ranker, dataset, dataset)
    for old, new in zip(ranker.variables, more.variables, strict=True):
        np.testing.assert_array_equal(new, old, old.name)
