"""Users in tables that do not grow with them, from settings to a bundle."""

import numpy as np
import pytest

from tests.training import small
from tests.training.test_update import write_day
from tfadrec import explanation, models, serving, training, tuning
from tfadrec.core.config import RunConfig
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.user_keys import user_keys
from tfadrec.explanation.question import Question
from tfadrec.ops import hashing
from tfadrec.runs.check import check_sections
from tfadrec.serving.retrieval_parity import RetrievalParity
from tfadrec.training.distillation import Distillation
from tfadrec.tuning.search_space import SearchSpace

DYNAMIC = {
    "class": "DynamicIdEmbedding",
    "capacity": 8,
    "ways": 4,
    "admission": 2,
}
HASHED = {"class": "HashedIdEmbedding", "buckets": 7}
#: Room for all 30 users, whatever their sets.
ROOMY = {"class": "DynamicIdEmbedding", "capacity": 30, "ways": 30}
TABLES = {"dynamic": DYNAMIC, "hashed": HASHED}
CLASSES = [ids["class"] for ids in (HASHED, DYNAMIC)]


def config(ids, **more):
    settings = {"fit": {"epochs": 2, "steps_per_epoch": 2}, **more}
    return small.config(user_tower={"ids": ids, "id_dropout": 0.2}, **settings)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of both tables, by name."""
    out = tmp_path_factory.mktemp("runs")
    with small.untraced():
        return {
            name: training.train(
                small.world(), config(ids), out / name, progress=False
            )
            for name, ids in TABLES.items()
        }


def logits(ranker, rows):
    return ranker.predict(rows.batches(64))["clicked"]


def rows_of(ranker, dataset):
    """The table's rows of all users, [U + 1]."""
    keys = user_keys(dataset.user_ids)
    return ranker.user_tower._id._slots(tf.constant(keys)).numpy()


@pytest.mark.parametrize(
    "ids",
    [
        np.array(["", "u", "user-17", "ü" * 40, "x" * 200], object),
        np.array([-1, 0, 7, 2**63 - 1], np.int64),
    ],
)
def test_keys_of_datasets_are_those_of_requests(ids):
    keys = user_keys(ids[1:])
    np.testing.assert_array_equal(keys, hashing.key_of(tf.constant(ids)))
    assert keys[0] == 0
    assert len(set(keys)) == len(ids)


def test_with_room_for_all_it_learns_what_a_row_for_each_does(
    tmp_path, monkeypatch
):
    """An id is admitted when it is first met: only rows' places differ.

    And that a row for each begins apart from others and with a bias.
    """
    monkeypatch.setattr("tfadrec.layers.id_embedding._NEAR", 0.0)
    monkeypatch.setattr(
        "tfadrec.training.without_steps.start_linear", lambda *_: None
    )
    with small.untraced():
        fixed, dynamic = (
            training.train(
                small.world(), config(ids), tmp_path / name, progress=False
            )
            for name, ids in (("fixed", None), ("dynamic", ROOMY))
        )
    for one, other in zip(fixed.history, dynamic.history, strict=True):
        assert other == pytest.approx(one, abs=1e-6)
    rows = rows_of(dynamic.ranker, dynamic.dataset)
    tables = [r.ranker.user_tower._id.table.numpy() for r in (fixed, dynamic)]
    has_learned = abs(tables[0]).max(axis=1) > 0
    assert has_learned.sum() > 20
    assert (rows[has_learned] > 0).all()
    assert len(set(rows)) == 1 + np.count_nonzero(rows)
    np.testing.assert_allclose(tables[1][rows], tables[0], atol=1e-6)


def asked_of_all(dataset):
    return serving.replay(dataset, np.arange(len(dataset)))


@pytest.fixture(scope="module")
def bundle(runs, tmp_path_factory):
    """Of the run whose table is dynamic."""
    run = runs["dynamic"]
    out = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        small.no_replay(patch)
        return serving.export_bundle(run.ranker, run.valid, out)


def assert_answers_as_live(bundle, run):
    ask = serving.open_bundle(bundle)["serving_default"]
    found = ask(**asked_of_all(run.dataset))["logits"]
    live = logits(run.ranker, run.dataset)
    np.testing.assert_allclose(found, live, atol=1e-5)


def test_a_bundle_answers_as_the_ranker_and_holds_no_users(runs, bundle):
    run = runs["dynamic"]
    assert_answers_as_live(bundle, run)
    user = run.dataset.user_ids[0].encode()
    held = [p for p in bundle.rglob("*") if p.is_file()]
    model = [p for p in held if p.suffix == ".pb" or "variables" in str(p)]
    assert len(model) >= 3
    assert not any(user in path.read_bytes() for path in model)


def test_users_without_a_row_are_the_unknown_user(runs, bundle):
    run = runs["dynamic"]
    rows = rows_of(run.ranker, run.dataset)
    assert 0 < np.count_nonzero(rows) <= 8
    ask = serving.open_bundle(bundle)["serving_default"]
    asked = asked_of_all(run.dataset)
    nobody = np.full_like(asked["user_id"], "never met")
    answers = [
        ask(**request)["logits"]
        for request in (asked, asked | {"user_id": nobody})
    ]
    has_row = rows[run.dataset.impressions.users] > 0
    np.testing.assert_array_equal(*(a[~has_row] for a in answers))
    assert (answers[0] != answers[1])[has_row].all()


@pytest.mark.slow
def test_a_bundle_of_hashed_users(runs, tmp_path):
    run = runs["hashed"]
    bundle = serving.export_bundle(run.ranker, run.valid, tmp_path)
    assert_answers_as_live(bundle, run)


@pytest.mark.parametrize("name", TABLES)
def test_it_resumes_to_equal_weights(runs, name, tmp_path):
    with small.untraced():
        for until in (1, None):
            training.train(
                small.world(),
                config(TABLES[name]),
                tmp_path,
                until=until,
                progress=False,
            )
    again = training.load_run(tmp_path)
    assert again.history == runs[name].history
    pairs = zip(
        again.ranker.variables, runs[name].ranker.variables, strict=True
    )
    for one, other in pairs:
        np.testing.assert_array_equal(one, other, err_msg=one.name)


@pytest.mark.parametrize("name", TABLES)
def test_a_day_of_new_users_does_not_grow_the_table(name, tmp_path):
    """`u10` and others are sorted in between, so rows of users change."""
    days = [write_day(tmp_path / f"day{day}", day) for day in (3, 8)]
    fit = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 16}
    settings = config(TABLES[name], fit=fit)
    with small.untraced():
        before = training.train(
            days[0], settings, tmp_path / "run", progress=False
        )
        after = training.update(
            tmp_path / "run", days[1], tmp_path / "next", progress=False
        )
    old, new = before.dataset.user_ids, after.dataset.user_ids
    assert len(new) > len(old)
    assert list(new[: len(old)]) != list(old)
    grown = training.grow_vocabulary(
        before.ranker, before.dataset, after.dataset
    )
    for found in (grown, after.ranker):
        for one, other in zip(
            before.ranker.user_tower._id.variables,
            found.user_tower._id.variables,
            strict=True,
        ):
            assert one.shape == other.shape
            if found is grown:
                np.testing.assert_array_equal(one, other)
    table = "user_tower/id/id/embedding_and_bias"
    slots = [
        [v for v in ranker.optimizer.variables if table in v.name]
        for ranker in (before.ranker, grown)
    ]
    assert len(slots[0]) == len(slots[1]) == 2
    for one, other in zip(*slots, strict=True):
        assert abs(one.numpy()).max() > 0
        np.testing.assert_array_equal(one, other)
    read = training.load_run(tmp_path / "next")
    np.testing.assert_array_equal(
        logits(read.ranker, read.valid), logits(after.ranker, read.valid)
    )


def test_explanations_tell_of_users_who_have_a_row(runs):
    run = runs["dynamic"]
    rows = rows_of(run.ranker, run.dataset)
    some = run.dataset.select(np.arange(16))
    inputs, _ = next(iter(some.batches(16)))
    asked = Question.of_inputs(run.ranker, inputs)
    found = explanation.explain(run.ranker, asked, run.dataset.schema)
    has_row = rows[some.impressions.users] > 0
    assert 0 < has_row.sum() < 16
    np.testing.assert_array_equal(found.fields["user id"] != 0, has_row)


def test_a_retriever_is_read_back(tmp_path):
    settings = RunConfig.from_yaml(
        f"""
        model: retriever
        text: null
        ad_tower: {{width: 4}}
        user_tower: {{ids: {DYNAMIC}}}
        fit: {{batch_size: 32, epochs: 1, steps_per_epoch: 2}}
        data: {{history_length: 6}}
        """
    )
    with small.untraced():
        run = training.train_retriever(
            small.world(), settings, tmp_path / "run", progress=False
        )
    read = training.load_retriever(tmp_path / "run")
    (table,) = (
        w for w in read.retriever.user_tower.weights if "/emb" in w.name
    )
    assert table.shape == [9, 5]
    assert 0 < np.count_nonzero(rows_of(read.retriever, run.dataset)) <= 8
    inputs, _ = next(iter(run.dataset.batches(64)))
    np.testing.assert_array_equal(
        read.retriever(inputs)["user"], run.retriever(inputs)["user"]
    )


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"class": "IdEmbedding"}, "needs a class, one of .*IdEmbedding"),
        ({"class": "HashedIdEmbedding"}, "needs buckets"),
        ({**HASHED, "width": 3}, "takes buckets, l2. Received: width"),
        ({**DYNAMIC, "capacity": 0}, "ids.capacity` must be an integer >= 1"),
        ({**DYNAMIC, "eviction": "random"}, "one of least_frequent, oldest"),
    ],
)
def test_wrong_settings_are_refused_before_tensorflow(ids, message):
    with pytest.raises(InputError, match=message):
        check_sections({"user_tower": {"ids": ids}})


def test_what_does_not_fit_together_is_refused(untraced):
    dataset = small.trained().dataset
    with pytest.raises(InputError, match=r"multiple of `ways`.*capacity=9"):
        training.build_ranker(config({**DYNAMIC, "capacity": 9}), dataset)
    with pytest.raises(ValueError, match="`ids` needs a class, one of"):
        models.AdRanker.for_dataset(dataset, user_tower={"ids": {"buckets": 9}})


def test_a_search_chooses_among_tables():
    space = SearchSpace(
        {
            "user_tower": {
                "ids": {
                    "class": {"choice": [None, *CLASSES]},
                    "buckets": 7,
                    "capacity": {"choice": [8, 16]},
                }
            }
        }
    )
    assert space.names == ["user_tower.ids.class", "user_tower.ids.capacity"]
    found = []
    for name in ("null", *CLASSES):
        values = tuning.HyperParameters()
        space.sample(values)
        values.values["user_tower.ids.class"] = name
        values.values["user_tower.ids.capacity"] = 16
        values.ensure_active_values()
        found.append(space.sample(values).user_tower["ids"])
    assert found == [
        None,
        {"class": "HashedIdEmbedding", "buckets": 7},
        {"class": "DynamicIdEmbedding", "capacity": 16},
    ]


def test_xla_is_refused_before_a_step(tmp_path):
    dataset = small.trained().dataset
    ranker = training.build_ranker(config(DYNAMIC), dataset)
    ranker.compile("adam", jit_compile=True)
    with pytest.raises(InputError, match="Received: jit_compile=True"):
        training.fit(ranker, dataset, dataset, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_batches_bring_keys_to_tables_alone(tmp_path, runs):
    """A ranker of one's own is told so, and its run is read with them."""
    plain = small.trained().dataset
    assert "user_key" not in next(iter(plain.batches(2)))[0]
    ranker = training.build_ranker(config(HASHED), plain)
    inputs, _ = next(iter(plain.batches(2)))
    with pytest.raises(ValueError, match=r"`dataset.with_user_keys\(\)`"):
        ranker(inputs)
    keyed = plain.with_user_keys()
    with small.untraced():
        training.fit(
            ranker,
            keyed,
            keyed,
            tmp_path / "own",
            epochs=1,
            steps_per_epoch=1,
            progress=False,
        )
    read = training.load_run(tmp_path / "own")
    for run in (read, runs["hashed"]):
        for part in (run.dataset, run.train, run.valid):
            assert part.user_keys is run.dataset.user_keys is not None


def test_rows_of_another_run_are_read_with_keys(runs, untraced):
    """A retriever without a table may imitate a ranker that has one."""
    rows = small.trained().dataset
    assert rows.user_keys is None
    assert len(Distillation.of(runs["hashed"].ranker, rows, 3).ads) == 3
    retriever = models.AdRetriever.for_dataset(rows, user_tower={"ids": HASHED})
    expected = RetrievalParity(retriever, rows, np.arange(3))
    assert expected.overlap == 1.0


def test_ids_are_left_out_with_use_id():
    dataset = small.trained().dataset
    settings = small.config(user_tower={"ids": HASHED, "use_id": False})
    ranker = training.build_ranker(settings, dataset)
    assert not [w for w in ranker.user_tower.weights if "/id/" in w.name]
