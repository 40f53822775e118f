"""Datasets and a ranker for each, with weights that tell things apart.

`words` has string ids, a categorical context, ad copy with an encoder, and a
ranker of clicks and conversions that searches histories by the kind of an ad;
`numbers` has integer
ids, a numeric context far from zero, more ads than `recommend` scores at a
time, and a ranker of clicks. `shop` is described in its own module.
"""

import dataclasses
import functools
import types

import numpy as np
import pytest
import tokenizers
import yaml

from tests.serving import shop
from tests.training import small
from tfadrec import data, layers, serving, training
from tfadrec.core.door import tf
from tfadrec.data import sources
from tfadrec.data.copy.train_tokenizer import train_tokenizer
from tfadrec.serving import parity
from tfadrec.serving.ranking_service import _METHODS as METHODS
from tfadrec.serving.warm_up import write_warm_up

NUM_ADS = 1100
SIGNATURES = [
    "serving_default",
    "score_slate",
    "recommend",
    "recommend_from",
    "serve_examples",
]
#: What the replay of an export asks and times.
REPLAYED = ("serving_default", "score_slate", "score_new_ads")


@functools.cache
def words():
    config = small.config(
        ad_tower={"category": "category"},
        ranker={"tasks": ["clicked", "converted"]},
        multitask={"class": "MMoE", "hidden_units": [4]},
    )
    searching = {"class": "SIM", "search": "hard"}
    dataset = data.open_dataset(small.world())
    tokenizer, encoder = text_model(dataset.catalogue)
    catalogue = data.encode_text(
        dataset.catalogue,
        tokenizer,
        encoder,
        cache=small.folder() / "text_vectors",
        progress=False,
    )
    return _served(
        dataset.with_catalogue(catalogue),
        dataclasses.replace(config, encoder=searching),
        tokenizer,
        encoder,
    )


def text_model(catalogue):
    """A small BERT with random weights, and a WordPiece for the catalogue."""
    folder = small.folder() / "tokenizer"
    train_tokenizer(
        catalogue.titles, folder, model_type="bert", vocabulary_size=300
    )
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoder = layers.BertAdEncoder(
        {
            "vocab_size": backend.get_vocab_size(),
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 8,
            "max_position_embeddings": 16,
        },
        name="bert",
    )
    encoder.build(None)
    random = np.random.default_rng(2)
    for variable in encoder.weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    return data.Tokenizer(backend, max_tokens=16), encoder


@functools.cache
def numbers():
    folder = small.folder() / "numbers"
    folder.mkdir()
    random = np.random.default_rng(0)
    ads = random.permutation(5 * NUM_ADS)[:NUM_ADS]
    brands = random.choice(["x", "y", ""], NUM_ADS)
    prices = random.normal(50, 9, NUM_ADS)
    _write(folder / "ads.csv", "ad,brand,price", (ads, brands, prices))
    rows = 400
    users, shown = random.integers(1, 30, rows), random.choice(ads, rows)
    times = 1_600_000_000 + np.sort(random.integers(0, 10**6, rows))
    clicked = random.integers(0, 2, rows)
    # Known to a tenth of its deviation only where it is read in float64.
    scroll = [f"{v:.3f}" for v in random.normal(1e9, 10, rows)]
    scroll[3] = scroll[7] = ""
    device = random.choice(["phone", "desk", ""], rows)
    _write(
        folder / "log.csv",
        "user,ad,time,clicked,scroll,device",
        (users, shown, times, clicked, scroll, device),
    )
    log = {"user_id": "user", "ad_id": "ad", "timestamp": "time"}
    config = {
        "user_id_type": "int64",
        "ad_id_type": "int64",
        "ads": {
            "file": "ads.csv",
            "ad_id": "ad",
            "categorical": ["brand"],
            "numeric": ["price"],
        },
        "events": {
            "file": "log.csv",
            **log,
            "event_type": {"constant": "view"},
        },
        "impressions": {
            "file": "log.csv",
            **log,
            "clicked": "clicked",
            "numeric": ["scroll"],
            "categorical": ["device"],
        },
    }
    (folder / "table.yaml").write_text(yaml.safe_dump(config))
    sources.prepare_table(folder / "table.yaml", folder / "data")
    return _served(data.open_dataset(folder / "data"), small.config())


def _write(file, header, columns):
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    file.write_text("\n".join([header, *lines, ""]))


def _served(dataset, config, tokenizer=None, encoder=None):
    dataset = dataset.with_history_length(6)
    ranker = training.build_ranker(config, dataset)
    random = np.random.default_rng(1)
    for variable in ranker.trainable_variables:
        # What texts are compared by magnifies the last digits of a model's.
        spread = 0.03 if "text_space" in variable.name else 0.25
        variable.assign(random.normal(0, spread, variable.shape))
    text = {"tokenizer": tokenizer, "encoder": encoder}
    service = serving.RankingService(ranker, dataset, **text)
    signatures = service.signatures()
    ask = serving.answers(service, signatures)
    return types.SimpleNamespace(
        dataset=dataset,
        ranker=ranker,
        text=text,
        service=service,
        reader=service.reader,
        score=ask["serving_default"],
        recommend=ask["recommend"],
        ask=ask,
        signatures=signatures,
    )


@functools.cache
def exported(name, replayed):
    """The folder of versions of a world, and its replay's answers."""
    kind = "replayed" if replayed else "plain"
    names = REPLAYED if name == "shop" else None
    return export(of(name), small.folder() / kind / name, replayed, names)


def of(name):
    """One of the three."""
    return {"words": words, "numbers": numbers, "shop": shop.shop}[name]()


def specs(world):
    """Its signatures, and the inputs of each."""
    return {
        name: signature.structured_input_signature[1]
        for name, signature in world.signatures.items()
    }


def export(world, path, replayed=True, names=None, **settings):
    """Exports a world; `path`, and what the replay of its rows answered.

    Its service is the world's, which is traced already, and its latencies are
    those of one call. Without the replay, which takes ten seconds and more of a
    processor, there are no answers. To save a signature and to load it takes a
    second and more: `names` are those that the bundle has, all by default. Of
    `settings` those of the service change nothing.
    """
    replay, answered = parity._replay, [None]
    signatures = {k: world.signatures[k] for k in names or world.signatures}

    def warm_up(folder, model, traced, requests):
        asked = [each for each in requests if each[0] in traced]
        write_warm_up(folder, model, traced, asked)

    def recorded(*arguments):
        answered.append(replay(*arguments))
        return answered[-1]

    module = "tfadrec.serving.bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            f"{module}.RankingService.signatures", lambda _: signatures
        )
        patch.setattr(f"{module}.write_warm_up", warm_up)
        patch.setattr(
            f"{module}.RankingService", lambda *_, **__: world.service
        )
        patch.setattr(parity, "LATENCY_CALLS", 1)
        patch.setattr(parity, "_replay", recorded)
        if not replayed:
            patch.setattr(f"{module}.check_parity", lambda *_, **__: None)
        serving.export_bundle(
            world.ranker,
            world.dataset,
            path,
            **world.text,
            **{"train": world.dataset, **settings},
        )
    return path, answered[-1]


def bundle(name):
    """The folder of versions of a world, exported without a replay."""
    return exported(name, replayed=False)[0]


def add_version(path, number):
    """Has a folder of versions have one more, that of `numbers`."""
    (path / str(number)).symlink_to(bundle("numbers") / "1")


@functools.cache
def loaded(name):
    """Its version, as TensorFlow loads it."""
    return tf.saved_model.load(bundle(name) / "1")


@functools.cache
def opened(name):
    """Its signatures, as `open_bundle` reads them."""
    return serving.open_bundle(bundle(name))


def untraced(service, world, *names):
    """Some answers of another service of a world's kind, op by op.

    To trace a signature takes seconds. Their inputs are those of the world's.
    """
    like = {
        name: _Untraced(
            getattr(service, METHODS.get(name, name)),
            world.signatures[name].structured_input_signature,
        )
        for name in names
    }
    return serving.answers(service, like)


class _Untraced:
    """A method in place of a signature."""

    def __init__(self, method, inputs):
        self._method, self.structured_input_signature = method, inputs

    def __call__(self, **request):
        return self._method(**request)


def assert_equal(found, expected):
    """Two answers, name -> array."""
    assert set(found) == set(expected)
    for name, values in expected.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(found[name], values, atol=1e-6)
        else:
            np.testing.assert_array_equal(found[name], values)
