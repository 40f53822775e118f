"""A ranker for a dataset reads all that the dataset has."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tests.data import dataset_folder, rich_dataset
from tfadrec import layers, models
from tfadrec.core.door import keras, tf
from tfadrec.core.feature import Feature
from tfadrec.data.features import KINDS
from tfadrec.data.open_dataset import open_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return rich_dataset.make(tmp_path_factory.mktemp("rich"), requests=60)


def ranker_for(dataset, **settings):
    keras.utils.set_random_seed(0)
    settings = {"ad_tower": {"width": 4}, "hidden_units": (8,), **settings}
    ranker = models.AdRanker.for_dataset(
        dataset, layers.DIN(hidden_units=(4,), name="din"), **settings
    )
    ranker.build()
    random = np.random.default_rng(1)
    for variable in ranker.trainable_weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    return ranker


def logits(ranker, dataset):
    [(inputs, *_)] = dataset.batches(10**6)
    return ranker(inputs)["clicked"].numpy()


def test_every_column_of_the_dataset_matters(dataset):
    ranker = ranker_for(dataset)
    read = tf.function(lambda inputs: ranker(inputs))
    before = logits(read, dataset)
    random = np.random.default_rng(2)

    def mixed(columns, name):
        column = columns[name]
        return {**columns, name: column[random.permutation(len(column))]}

    changed = {}
    for part, columns in (
        ("users", dataset.users),
        ("events", dataset.events.columns),
        ("impressions", dataset.impressions.columns),
    ):
        for name in columns:
            given = mixed(columns, name)
            if part != "users":
                given = dataclasses.replace(
                    getattr(dataset, part), columns=given
                )
            other = dataclasses.replace(dataset, **{part: given})
            changed[name] = logits(read, other)
    tables = [v for v in ranker.ad_tower.weights if "_table" in v.name]
    for table in tables:
        value = table.numpy()
        table.assign(value[random.permutation(len(value))])
        changed[table.name] = logits(read, dataset)
        table.assign(value)
    for name, after in changed.items():
        assert np.abs(after - before).max() > 1e-3, name
    # Columns of 5 entities, and 7 of ads, of which one is of all numbers.
    assert len(tables) == 7
    assert len(changed) == 6 + 4 + 7 + 7
    np.testing.assert_array_equal(logits(read, dataset), before)


def test_a_traced_step_trains_every_feature(tmp_path):
    """In a graph, without XLA: the loss is finite, and all weights move."""
    tables = rich_dataset.tables(requests=60)
    rates = np.linspace(-1, 1, len(tables["impressions"]))
    shown = tables["impressions"].append_column("ad_rate", [rates])
    more = (
        Feature("ad rate", "candidate", "rate", ids=("ad_id",), prior=10.0),
        Feature(
            "value",
            "candidate",
            "expression",
            of=("bid", "price"),
            expression="a / (b + 1)",
            scales=((0.5, 0.3, 0.0), (5.0, 2.0, 0.0)),
        ),
    )
    # One of each kind, and what they read.
    kept = {"brand", "tags!", "price", "price bucket", "image", "by brand"}
    kept |= {"brand x price", "likes", "taste", "searched", "hour", "bid"}
    few = [f for f in rich_dataset.FEATURES if f.name in kept]
    schema = rich_dataset.schema(features=(*few, *more))
    folder = dataset_folder.write(
        tmp_path, {**tables, "impressions": shown}, schema
    )
    dataset = open_dataset(folder).with_history_length(4)
    assert {f.kind for f in dataset.schema.features} == set(KINDS) - {"count"}
    ranker = models.AdRanker.for_dataset(
        dataset,
        layers.TargetAttention(),
        ad_tower={"width": 4},
        hidden_units=(4,),
    )
    ranker.build()
    ranker.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    before = [variable.numpy() for variable in ranker.trainable_weights]
    [batch] = dataset.batches(10**6)
    step = tf.function(ranker.train_step, jit_compile=False)
    assert np.isfinite(step(batch)["loss"])
    for variable, start in zip(ranker.trainable_weights, before, strict=True):
        assert np.isfinite(variable).all(), variable.name
        assert (variable.numpy() != start).any(), variable.name


def test_derived_features_are_read_as_well(dataset):
    """A cross or an overlap alone tells two of its values apart."""
    ranker = ranker_for(dataset)
    before = logits(ranker, dataset)
    embeddings = {v.name: v for v in ranker.trainable_weights}
    for name in (
        "ad_tower/features/brand_x_price/embedding",
        "context/device_by_day/embedding",
        "candidate/device_x_brand/embedding",
        "candidate/missing_numbers",
    ):
        variable = embeddings[f"ad_ranker/{name}:0"]
        value = variable.numpy()
        variable.assign(
            value + np.arange(len(value)).reshape(-1, *[1] * (value.ndim - 1))
        )
        assert np.abs(logits(ranker, dataset) - before).max() > 1e-3, name
        variable.assign(value)


def test_what_shares_a_vocabulary_shares_its_embedding(dataset):
    names = [v.name for v in ranker_for(dataset).weights]
    owners = {n.split("/")[-2] for n in names if n.endswith("/embedding:0")}
    assert owners >= {"brand", "tags_2", "styles", "gender", "slot"}
    borrowers = {"likes", "reasons", "history_terms", "history_searched"}
    assert not owners & borrowers


def test_embeddings_that_are_shared_learn_from_all(dataset):
    """Events tell something of a brand that no ad of the batch has."""
    ranker = ranker_for(dataset)
    [table] = [
        v for v in ranker.weights if v.name.endswith("/brand/embedding:0")
    ]
    [(inputs, *_)] = dataset.batches(10**6)
    inputs["history_searched"] = tf.fill(inputs["history_searched"].shape, 3)
    brands = next(v for v in ranker.weights if "brand_table" in v.name)
    brands.assign(tf.ones_like(brands))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(ranker(inputs)["clicked"])
    gradient = tf.convert_to_tensor(tape.gradient(total, table)).numpy()
    assert np.abs(gradient[[1, 3]]).min() > 0
    np.testing.assert_array_equal(gradient[[0, 2, 4]], np.zeros([3, 4]))


def test_the_sizes_of_its_parts(dataset):
    sizes = models.dataset_sizes(dataset)
    assert sizes["ad_tower"]["catalogue"] is dataset.catalogue
    # What a candidate's overlap, cross and lookup read of an ad.
    assert sorted(sizes["ad_tower"]["passed"]) == ["brand", "tags_2"]
    tower = sizes["user_tower"]
    assert (tower["num_event_types"], tower["num_users"]) == (3, 9)
    found = {
        "event": tower["event_features"],
        **sizes["ranker"],
    }
    assert {at: [f["name"] for f in of] for at, of in found.items()} == {
        "event": [
            "history_dwell",
            "history_mood",
            "history_searched",
            "history_terms",
        ],
        # Those of requests, then those of users.
        "context": [
            *("device", "device_by_day", "hour", "part_of_day"),
            *("age", "gender", "likes", "persona"),
        ],
        # A user's map is read at each candidate.
        "candidate": [
            "bid",
            "by_brand",
            "device_x_brand",
            "look",
            "reasons",
            "slot",
            "taste",
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (("DIN",), {}, "`encoder` must be a layer .* Received: 'DIN'"),
        ((layers.DIN,), {}, "`encoder` must be a layer .* Received: DIN"),
        ((None, "cosine"), {}, "`matching` must be a layer .*: 'cosine'"),
        ((), {"interaction": layers.FM}, "`interaction` must be a layer .*FM"),
        ((), {"tasks": ["bought"]}, r"has clicked, revenue\. Received: \['b"),
        ((), {"tasks": "clicked"}, "must be a list of labels .*: 'clicked'"),
    ],
)
def test_what_is_no_layer_and_no_label(dataset, arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        models.AdRanker.for_dataset(dataset, *arguments, **settings)


def test_what_is_no_dataset():
    with pytest.raises(ValueError, match=r"must be a dataset\. Received: str"):
        models.AdRanker.for_dataset("data/shop")


def test_users_without_ids(dataset):
    ranker = ranker_for(dataset, use_user_id=False)
    assert ranker.user_tower.num_users == 0


#: What batches, towers and layers call their own tensors, or once did.
ODD = {
    "category": ["bias", "category", "history_vectors", "numbers", "target"],
    "number": ["vectors", "target_category", "missing_numbers", "text", ""],
    "vector": ["numbers", "id", "history_category", "user_id", "numbers_2"],
}
VALUES = {
    "category": ["a", "b"],
    "number": [0.5, -1.0],
    "vector": [[1.0, 0.0], [0.0, 1.0]],
}


@pytest.mark.parametrize(
    "kind",
    [
        "category",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("number", "vector")
        ),
    ],
)
def test_features_are_called_whatever_a_column_can_be(kind, tmp_path):
    """Each of them matters, and none is taken for a part of the ranker."""
    entities = {
        "ad": "ads",
        "user": "users",
        "event": "events",
        "context": "impressions",
        "candidate": "impressions",
    }
    schema = dataset_folder.schema(
        features=(
            *(
                Feature(name, entity, kind, vocabulary=("a", "b"), width=2)
                for entity in entities
                for name in ODD[kind]
            ),
            # Beside the others there is a number.
            *(Feature("n", entity, "number") for entity in entities),
        )
    )
    tables = dataset_folder.tables()
    tables["users"] = pa.table({"user_id": ["u", "v", "w"]})
    random = np.random.default_rng(0)
    for feature in schema.features:
        table = tables[entities[feature.entity]]
        values = VALUES[feature.kind]
        chosen = [values[i] for i in random.integers(0, 2, table.num_rows)]
        tables[entities[feature.entity]] = table.append_column(
            feature.column, [chosen]
        )
    dataset = open_dataset(dataset_folder.write(tmp_path, tables, schema))
    dataset = dataset.with_history_length(3)
    ranker = ranker_for(dataset)
    [(inputs, _)] = dataset.batches(5)
    read = tf.function(lambda inputs: ranker(inputs)["clicked"])
    before = read(inputs)
    for feature in schema.of("user", "event", "context", "candidate"):
        values = inputs[feature.tensor]
        other = {
            # 0 stands where a history is shorter.
            "category": lambda values: tf.where(values > 0, 3 - values, 0),
            "number": lambda values: values + 1,
            "vector": lambda values: values[..., ::-1],
        }[feature.kind](values)
        after = read({**inputs, feature.tensor: other})
        assert np.abs(after - before).max() > 1e-5, feature
    ranker.save(tmp_path / "ranker.keras")
    again = keras.models.load_model(tmp_path / "ranker.keras")
    np.testing.assert_allclose(again(inputs)["clicked"], before, rtol=1e-4)
