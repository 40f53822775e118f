"""The check at the end of an export: its report, and what it refuses."""

import json
import shutil
import types

import numpy as np
import pytest

from tests.serving import worlds
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.serving import parity, replay_bundle
from tfadrec.serving.scores import Scores


@pytest.mark.parametrize(
    "name",
    [
        "shop",
        pytest.param("words", marks=pytest.mark.slow),
        pytest.param("numbers", marks=pytest.mark.slow),
    ],
)
def test_the_report(name):
    path, _ = worlds.exported(name, replayed=True)
    report = json.loads((path / "1/parity.json").read_text())
    dataset = worlds.of(name).dataset
    assert report["rows"] == min(256, len(dataset)) > 100
    assert report["tensorflow"] == tf.__version__
    assert report["ops_outside_core"] == {}
    assert set(report["differences"]) == {
        f"{signature}, {api}, {case}"
        for signature in ("serving_default", "score_new_ads")
        for api in ("object", "session")
        for case in ("plain", "merged")
    }
    # New ads' texts are magnified: their model has random weights.
    ranker = worlds.of(name).ranker
    assert report["bound"] == parity.bound_of_texts(ranker) < 0.02
    for case, difference in report["differences"].items():
        bound = report["bound"] if "new_ads" in case else 1e-5
        assert difference <= bound
    assert set(report["latency_ms"]) == {
        "serving_default, 1 rows",
        "serving_default, 32 rows",
        "serving_default, 256 rows",
        "score_slate, 100 ads",
        "score_slate, 500 ads",
    }
    for times in report["latency_ms"].values():
        assert 0 < times["p50"] <= times["p90"] <= times["p99"]


@pytest.mark.parametrize(
    ("calls", "seconds", "made"), [(7, 60.0, 7), (7, 0.0, 1)]
)
def test_latencies_are_of_so_many_calls_or_seconds(calls, seconds, made):
    """And one call at least; five before them warm up."""
    times = []
    found = replay_bundle._time(lambda: times.append(0), calls, seconds)
    assert len(times) == 5 + made
    assert 0 < found["p50"] <= found["p90"] <= found["p99"]


@pytest.mark.parametrize("logit", [-43.0, 43.0, -3.0, 0.5])
def test_the_bound_is_relative_to_a_logit(logit):
    """What float32 rounds at -43 is no fault; ten times the bound is one."""
    loss = types.SimpleNamespace(is_binary=True, is_calibrated=True)
    ranker = types.SimpleNamespace(task_losses={"clicked": loss})
    scores = Scores(ranker, 1.0)

    def difference(share):
        served = {"clicked": tf.constant([logit * (1 + share)])}
        answered = {k: v.numpy() for k, v in scores.answer(served).items()}
        trained = scores.answer({"clicked": tf.constant([logit])})
        return parity._difference(answered, scores, trained)

    assert difference(0) == 0
    assert difference(5e-7) <= parity.PARITY
    assert difference(1e-4) > parity.PARITY * min(1, abs(logit))
    assert difference(1e-4) <= 1.1e-4


@pytest.mark.slow
def test_a_bundle_that_reads_padding_is_refused(few_calls, tmp_path):
    """It goes by what stands in a history, and not by its length."""
    world = worlds.words()
    honest = worlds.loaded("words")
    signature = honest.signatures["serving_default"]
    specs = signature.structured_input_signature[1]

    @tf.function(input_signature=[specs])
    def score(request):
        is_there = tf.not_equal(request["history_ads"], "")
        length = tf.reduce_sum(tf.cast(is_there, tf.int32), axis=1)
        return signature(**{**request, "history_length": length})

    module = tf.Module()
    module.honest, module.score = honest, score
    tf.saved_model.save(
        module,
        tmp_path / "1",
        {
            "serving_default": tf.function(
                lambda **request: score(request)
            ).get_concrete_function(**specs),
            "score_slate": honest.signatures["score_slate"],
            "score_new_ads": honest.signatures["score_new_ads"],
        },
    )
    with pytest.raises(TfadrecError, match="Nothing was exported") as error:
        parity.check_parity(
            *(world.ranker, world.dataset, tmp_path / "1", world.reader),
            *(worlds.specs(world), {}),
        )
    assert not isinstance(error.value, InputError)
    # Where padding is empty, as our own requests have it, it scores alike.
    request = serving.replay(world.dataset, np.arange(40))
    assert np.ptp(request["history_length"]) > 0
    tensors = {
        k: tf.constant(v.tolist(), specs[k].dtype) for k, v in request.items()
    }
    np.testing.assert_allclose(
        score(tensors)["logits"], world.score(**request)["logits"], atol=1e-5
    )
    assert not (tmp_path / "1/parity.json").exists()


def few(world):
    """Some of its rows, with lists of several lengths."""
    return world.dataset.select(np.arange(40))


@pytest.mark.parametrize(
    ("fault", "case"),
    [
        (None, None),
        # A bundle to which "" is a value: at the end of lists it changes more.
        ({"likes": "x"}, "serving_default, session, merged"),
        ({"history_words": "hat"}, "serving_default, session, merged"),
        ({"new_tags_2": "x"}, "score_new_ads, session, merged"),
    ],
    ids=str,
)
def test_a_bundle_whose_lists_count_what_fills_them_up(
    monkeypatch, tmp_path, fault, case
):
    """The graph is asked here, and not in a process."""
    world = worlds.of("shop")

    def replay(_, cases):
        answers = {}
        for (signature, case), request in cases.items():
            request = dict(request)
            for name in set(fault or {}) & set(request):
                given = request[name]
                # The rows as they are keep their padding.
                if case == "merged":
                    given = np.where(given == "", fault[name], given)
                request[name] = given
            answers[signature, "session", case] = {
                name: values
                for name, values in world.ask[signature](**request).items()
            }
        return answers, {}

    monkeypatch.setattr(parity, "_replay", replay)

    def check():
        parity.check_parity(
            *(world.ranker, few(world), tmp_path, world.reader),
            *(worlds.specs(world), {}),
        )

    if fault is None:
        check()
        assert (tmp_path / "parity.json").exists()
    else:
        with pytest.raises(TfadrecError, match=case):
            check()


def test_requests_that_could_not_be_merged_would_be_told(monkeypatch, tmp_path):
    """Were they sent as they are, lists would be filled up with their own."""
    world = worlds.of("shop")
    monkeypatch.setattr(parity, "mergeable", lambda request, *_: request)
    monkeypatch.setattr(
        parity,
        "_replay",
        lambda _, cases: (
            {
                (signature, "session", case): world.ask[signature](**request)
                for (signature, case), request in cases.items()
            },
            {},
        ),
    )
    with pytest.raises(
        TfadrecError, match=r"\(score_new_ads, session, merged\)"
    ):
        parity.check_parity(
            *(world.ranker, few(world), tmp_path, world.reader),
            *(worlds.specs(world), {}),
        )


def test_a_process_that_ends_with_an_error_is_told(tmp_path, monkeypatch):
    """By its last line. The slow test is of TensorFlow's own."""
    script = tmp_path / "replay.py"
    script.write_text("raise OSError('is no model')")
    monkeypatch.setattr(parity, "_SCRIPT", script)
    world = worlds.numbers()
    with pytest.raises(
        TfadrecError,
        match=r"only TensorFlow is installed\. Received: OSError: is no model",
    ):
        parity.check_parity(
            *(world.ranker, world.dataset, tmp_path, world.reader),
            *(worlds.specs(world), {}),
        )


@pytest.mark.slow
def test_a_bundle_that_does_not_load_is_refused(tmp_path):
    """In the default run, the test above is of any error in that process."""
    shutil.copytree(worlds.bundle("words") / "1", tmp_path / "1")
    (tmp_path / "1/saved_model.pb").write_bytes(b"not a model")
    world = worlds.words()
    with pytest.raises(
        TfadrecError, match=r"where only TensorFlow is installed\. Received: "
    ):
        parity.check_parity(
            *(world.ranker, world.dataset, tmp_path / "1", world.reader),
            *(worlds.specs(world), {}),
        )


@pytest.mark.parametrize(
    ("magnified", "bound"),
    [(None, 1e-5), (1.0, 1e-5), (30.0, 3e-4), (1e6, 0.02)],
)
def test_texts_that_are_encoded_anew_may_differ_as_they_are_magnified(
    magnified, bound
):
    space = None
    if magnified is not None:
        space = types.SimpleNamespace(magnification=lambda: magnified)
    ranker = types.SimpleNamespace(
        ad_tower=types.SimpleNamespace(text_space=space)
    )
    assert parity.bound_of_texts(ranker) == pytest.approx(bound)


def test_products_of_a_gpu_are_rounded(monkeypatch):
    assert parity.bound_of() == parity.PARITY
    config = parity.tf.config
    monkeypatch.setattr(config, "list_physical_devices", lambda _: ["a GPU"])
    assert parity.bound_of() == parity.HALF_PARITY
    enable = config.experimental.enable_tensor_float_32_execution
    enable(False)
    try:
        assert parity.bound_of() == parity.PARITY
    finally:
        enable(True)
