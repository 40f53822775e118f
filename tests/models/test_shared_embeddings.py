"""Features of any two entities share an embedding, whichever names the other.

A model makes the features of its entities one after another, so the one that
lends is the first, and not always the one whose vocabulary it is.
"""

import numpy as np
import pytest
import yaml

from tfadrec import layers, models, serving
from tfadrec.core.door import tf
from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset

#: entity -> section and key of its features, and their file; those that lend
#: come first.
PLACES = {
    "ad": ("ads", "features", "ads.csv"),
    "event": ("events", "features", "events.csv"),
    "user": ("users", "features", "users.csv"),
    "context": ("impressions", "features", "log.csv"),
    "candidate": ("impressions", "candidate_features", "log.csv"),
}
ADS, USERS, ROWS = 6, 5, 24


@pytest.fixture(scope="module", params=[0, 1, 3])
def entities(request):
    """All of them, and some without those that would lend else."""
    return tuple(PLACES)[request.param :]


@pytest.fixture(scope="module")
def dataset(entities, tmp_path_factory):
    """A vocabulary of each entity, of another size each, shared by all."""
    folder = tmp_path_factory.mktemp("shared")
    random = np.random.default_rng(0)
    log = {"user_id": "user", "ad_id": "ad"}
    log["timestamp"] = {"column": "time", "unit": "s"}
    config = {
        "ads": {"file": "ads.csv", "ad_id": "ad"},
        "users": {"file": "users.csv", "user_id": "user"},
        "events": {
            "file": "events.csv",
            **log,
            "event_type": {"constant": "view"},
            "skipped": False,
        },
        "impressions": {"file": "log.csv", **log, "clicked": "click"},
    }
    rows = {
        "user": [f"u{n % USERS}" for n in range(ROWS)],
        "ad": [f"a{n % ADS}" for n in range(ROWS)],
        "time": list(range(ROWS)),
    }
    columns = {
        "ads.csv": {"ad": [f"a{n}" for n in range(ADS)]},
        "users.csv": {"user": [f"u{n}" for n in range(USERS)]},
        "events.csv": dict(rows),
        "log.csv": rows | {"click": [n % 2 for n in range(ROWS)]},
    }
    for size, owner in enumerate(entities, 2):
        for reader in entities:
            section, key, file = PLACES[reader]
            own = f"of_{owner}"
            name = own if reader == owner else f"{own}_at_{reader}"
            count = len(next(iter(columns[file].values())))
            values = np.arange(count) % size
            columns[file][name] = [f"v{v}" for v in random.permutation(values)]
            spec = {"kind": "category"}
            if reader != owner:
                spec["share"] = own
            config[section].setdefault(key, {})[name] = spec
    for file, found in columns.items():
        lines = [
            ",".join(map(str, row)) for row in zip(*found.values(), strict=True)
        ]
        (folder / file).write_text("\n".join([",".join(found), *lines]))
    (folder / "t.yaml").write_text(yaml.safe_dump(config))
    sources.prepare_table(folder / "t.yaml", folder / "data")
    return open_dataset(folder / "data").with_history_length(3)


def sizes(dataset):
    """How many rows the embedding of each vocabulary has."""
    features = dataset.schema.features
    rows = {f.tensor: len(f.vocabulary) + 1 for f in features if not f.share}
    assert len(set(rows.values())) == len(rows)
    return sorted(rows.values())


def test_a_ranker_has_one_embedding_for_each(dataset):
    ranker = models.AdRanker.for_dataset(
        dataset,
        layers.DIN(hidden_units=(3,)),
        ad_tower={"width": 4},
        use_user_id=False,
        hidden_units=(4,),
    )
    ranker.build()
    inputs, _ = next(iter(dataset.batches(ROWS)))
    for variable in ranker.trainable_variables:
        noise = tf.random.stateless_normal(variable.shape, [1, 2])
        variable.assign(variable + 0.1 * noise)
    expected = ranker(inputs)["clicked"].numpy()
    found = [v for v in ranker.trainable_variables if is_table(v)]
    assert sorted(v.shape[0] for v in found) == sizes(dataset)
    # Each of them is read, and what is served is what was trained.
    for variable in found:
        kept = variable.numpy()
        variable.assign(kept + np.arange(len(kept))[:, None])
        assert abs(ranker(inputs)["clicked"] - expected).numpy().max() > 1e-4
        variable.assign(kept)
    service = serving.RankingService(ranker, dataset)
    request = serving.replay(dataset, np.arange(ROWS))
    answer = service.score(**{k: tf.constant(v) for k, v in request.items()})
    np.testing.assert_allclose(answer["logits"], expected, atol=1e-5)


def test_a_retriever_has_one_embedding_for_each(dataset, entities):
    if not {"ad", "event", "user"} & set(entities):
        pytest.skip("it reads no feature of a request")
    retriever = models.AdRetriever.for_dataset(
        dataset, ad_tower={"width": 4}, use_user_id=False
    )
    retriever.build()
    found = [v for v in retriever.trainable_variables if is_table(v)]
    assert sorted(v.shape[0] for v in found) == sizes(dataset)
    inputs, _ = next(iter(dataset.batches(ROWS)))
    assert np.isfinite(retriever(inputs)["user"]).all()


def is_table(variable):
    """Whether it is an embedding of a feature."""
    return "/of_" in variable.name or "/history_of_" in variable.name


def test_the_first_entity_lends(dataset, entities):
    """The vocabulary stays that of the feature that is named."""
    schema = dataset.schema
    by_tensor = {f.tensor: f for f in schema.features}
    for feature in schema.features:
        owner = by_tensor[feature.share or feature.tensor]
        lender = by_tensor[feature.lender or owner.tensor]
        assert lender.entity == entities[0]
        assert lender.vocabulary == feature.vocabulary == owner.vocabulary
        assert feature.spec().get("share", feature.tensor) == lender.tensor
    assert "lender" not in schema.to_json()
    assert type(schema).from_json(schema.to_json()) == schema
