"""Every public layer and model passes the harness of `conformance`."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import tfadrec
from tests import conformance
from tests.conformance import Case
from tests.layers.text.tiny_bert import CONFIG
from tfadrec import layers, models, towers
from tfadrec.core.door import tf
from tfadrec.data.catalogue import Catalogue
from tfadrec.layers import text

D = 6


def spec(*shape, dtype=tf.float32):
    return tf.TensorSpec([None, *shape], dtype)


def lengths_of(batch, time):
    """Full, then shorter ones, the last empty."""
    lengths = np.maximum(time - np.arange(batch), 0)
    lengths[-1:] = 0
    return lengths.astype(np.int32)


def mask_of(batch, time):
    return np.arange(time) < lengths_of(batch, time)[:, None]


def normal(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def behaviour(batch, time):
    return {
        "events": normal(batch, time, D),
        "mask": mask_of(batch, time),
        "target": normal(batch, 3, D),
    }


def garbled_behaviour(inputs):
    events = np.where(inputs["mask"][..., None], inputs["events"], np.nan)
    return {**inputs, "events": events}


BEHAVIOUR = {
    "events": spec(None, D),
    "mask": spec(None, dtype=tf.bool),
    "target": spec(None, D),
}


def matching(batch, time):
    ad_mask = np.ones([batch, 3, 2], bool)
    ad_mask[:, 1, 1] = ad_mask[:, 2] = False
    return {
        "user": normal(batch, time, D),
        "user_mask": mask_of(batch, time),
        "ad": normal(batch, 3, 2, D),
        "ad_mask": ad_mask,
    }


def garbled_matching(inputs):
    return {
        **inputs,
        "user": np.where(
            inputs["user_mask"][..., None], inputs["user"], np.nan
        ),
        "ad": np.where(inputs["ad_mask"][..., None], inputs["ad"], np.nan),
    }


def tokens(batch, length):
    return {
        "token_ids": np.random.default_rng(3)
        .integers(0, 50, [batch, length])
        .astype(np.int32),
        "token_mask": mask_of(batch, length),
    }


def garbled_tokens(inputs):
    ids = np.where(inputs["token_mask"], inputs["token_ids"], -7)
    return {**inputs, "token_ids": ids}


def rows(*shape, high=10):
    return np.random.default_rng(3).integers(0, high, shape).astype(np.int32)


def catalogue():
    """Nine ads, some with a column or another unknown."""
    return Catalogue(
        ad_ids=np.arange(9),
        titles=[""] * 9,
        descriptions=[""] * 9,
        tags=[[]] * 9,
        categoricals={"brand": rows(9, high=4), "colour": rows(9, high=3)},
        numerics={"price": normal(9), "weight": normal(9) ** 2},
        vectors={"copy": normal(9, 5)},
        category_sizes={"brand": 4, "colour": 3},
    )


def ad_tower(name="ad_tower", **kwargs):
    return towers.AdTower(
        catalogue(), D, id_dropout=0.37, id_l2=0.37, name=name, **kwargs
    )


def user_tower(name="user_tower", **kwargs):
    return towers.UserTower(
        layers.DIN(name="din", dtype=kwargs.get("dtype")),
        num_event_types=3,
        num_users=4,
        id_dropout=0.37,
        max_length=6,
        name=name,
        **kwargs,
    )


def history(batch, time):
    return {
        "history_events": rows(batch, time, high=3),
        "history_ages": rows(batch, time, high=10**6),
        "history_length": lengths_of(batch, time),
        "user_id": rows(batch, high=4),
    }


def user_inputs(batch, time):
    return {
        **history(batch, time),
        "history_vectors": normal(batch, time, D),
        "target": normal(batch, 3, D),
    }


HISTORY = {
    "history_events": spec(None, dtype=tf.int32),
    "history_ages": spec(None, dtype=tf.int32),
    "history_length": spec(dtype=tf.int32),
    "user_id": spec(dtype=tf.int32),
}


def garbled_history(inputs):
    time = inputs["history_ages"].shape[1]
    real = np.arange(time) < inputs["history_length"][:, None]
    garbled = dict(inputs)
    for name, garbage in (
        ("history_events", -5),
        ("history_ages", -(10**9)),
        ("history_ads", 8),
    ):
        if name in inputs:
            garbled[name] = np.where(real, inputs[name], garbage)
    return garbled


def ranker(name="ranker", **kwargs):
    dtype = kwargs.get("dtype")
    return models.AdRanker(
        ad_tower(dtype=dtype),
        user_tower(dtype=dtype),
        layers.AttentionMatching(name="matching", dtype=dtype),
        tasks=("clicked", "converted"),
        context={"hour": 24, "scroll": None},
        hidden_units=(16,),
        cross_layers=2,
        dropout=0.37,
        name=name,
        **kwargs,
    )


def ranker_inputs(batch, time):
    return {
        **history(batch, time),
        "history_ads": rows(batch, time),
        "candidate_ads": rows(batch, 3),
        "hour": rows(batch, high=24),
        "scroll": normal(batch),
    }


HEAD_FLOAT32 = r"cross_\d|output|dense.*"

CASES = {
    "LSTM": Case(layers.LSTM, behaviour, BEHAVIOUR, garbled_behaviour),
    "DIN": Case(
        lambda **kwargs: layers.DIN((7, 5), "tanh", **kwargs),
        behaviour,
        BEHAVIOUR,
        garbled_behaviour,
    ),
    "AttentionMatching": Case(
        lambda **kwargs: layers.AttentionMatching("max", **kwargs),
        matching,
        {
            "user": spec(None, D),
            "user_mask": spec(None, dtype=tf.bool),
            "ad": spec(None, None, D),
            "ad_mask": spec(None, None, dtype=tf.bool),
        },
        garbled_matching,
    ),
    "CTRHead": Case(
        lambda **kwargs: layers.CTRHead(
            (16, 8), cross_layers=2, cross_rank=3, dropout=0.37, **kwargs
        ),
        lambda batch, time: normal(batch, time, D),
        spec(None, D),
        float32=HEAD_FLOAT32,
    ),
    "Dropout": Case(
        lambda **kwargs: layers.Dropout(
            0.5, broadcast_last=True, seed=3, **kwargs
        ),
        lambda batch, time: normal(batch, time, D),
        spec(None, D),
    ),
    "IdEmbedding": Case(
        lambda **kwargs: layers.IdEmbedding(
            10, D, dropout=0.37, l2=0.37, **kwargs
        ),
        lambda batch, time: rows(batch, time),
        spec(None, dtype=tf.int32),
        float32="dropout",
    ),
    "BertAdEncoder": Case(
        lambda **kwargs: text.BertAdEncoder(CONFIG, pooling="cls", **kwargs),
        tokens,
        {
            "token_ids": spec(None, dtype=tf.int32),
            "token_mask": spec(None, dtype=tf.bool),
        },
        garbled_tokens,
    ),
    "AdTower": Case(
        ad_tower,
        lambda batch, time: rows(batch, time),
        spec(None, dtype=tf.int32),
        at_default=("use_id", "distinct"),
        float32="id|dropout",
        for_xla=lambda tower: setattr(tower, "distinct", False),
    ),
    "UserTower": Case(
        user_tower,
        user_inputs,
        {
            **HISTORY,
            "history_vectors": spec(None, D),
            "target": spec(None, D),
        },
        float32="id|dropout",
    ),
    "AdRanker": Case(
        ranker,
        ranker_inputs,
        {
            **HISTORY,
            "history_ads": spec(None, dtype=tf.int32),
            "candidate_ads": spec(None, dtype=tf.int32),
            "hour": spec(dtype=tf.int32),
            "scroll": spec(),
        },
        garbled_history,
        float32=f"id|dropout|{HEAD_FLOAT32}",
        for_xla=lambda model: model.compile(jit_compile=True),
    ),
}


def test_every_public_layer_has_a_case():
    public = {
        name
        for package in (layers, text, towers, models)
        for name in package.__all__
    }
    # The one has no weights and is no layer, the other is a base class.
    assert public - {"Popularity", "RankingModel"} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_conformance(name, tmp_path):
    conformance.check(CASES[name], tmp_path)


LOAD_ALL = """
import json, pathlib, sys
import numpy as np
import tfadrec
import tensorflow as tf
import tf_keras

folder = pathlib.Path(sys.argv[1])
kinds = {}
for path in sorted(folder.glob("*.keras")):
    model = tf_keras.models.load_model(path)
    parts = {type(part).__name__ for part in model._flatten_layers()}
    kinds[path.stem] = sorted(parts)
    with np.load(folder / f"{path.stem}.npz") as arrays:
        inputs = {k[3:]: v for k, v in arrays.items() if k.startswith("in_")}
        count = len(arrays) - len(inputs)
        expected = [arrays[f"out_{i}"] for i in range(count)]
    outputs = tf.nest.flatten(model(inputs.get("", inputs)))
    assert len(outputs) == len(expected)
    for one, other in zip(outputs, expected):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
print(json.dumps(kinds))
"""


def test_reload_in_a_fresh_process(tmp_path):
    for name, case in CASES.items():
        model = conformance.save(case, tmp_path / f"{name}.keras")
        inputs = case.inputs(5, 4)
        outputs = conformance._outputs(model, inputs)
        named = inputs if isinstance(inputs, dict) else {"": inputs}
        np.savez(
            tmp_path / f"{name}.npz",
            **{f"in_{k}": v for k, v in named.items()},
            **{f"out_{i}": v for i, v in enumerate(outputs)},
        )
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(tfadrec.__file__).parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    kinds = json.loads(done.stdout.splitlines()[-1])
    assert set(kinds) == set(CASES)
    for name, parts in kinds.items():
        assert name in parts
