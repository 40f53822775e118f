"""Bundles: all or nothing, versions, and answers without this package."""

import dataclasses
import subprocess
import sys
import time
import types

import numpy as np
import pytest

from tests import processes
from tests.serving import worlds
from tests.training import small
from tfadrec import losses, serving
from tfadrec.core.bundle_folder import bundle_folder
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.serving import bundle as bundle_module
from tfadrec.serving import parity
from tfadrec.serving.native_check import replay
from tfadrec.serving.requests import (
    candidate_inputs,
    new_ads,
    without_candidates,
)
from tfadrec.serving.warm_up import write_warm_up


@pytest.fixture(scope="module")
def requests():
    made = {}
    for name in ("words", "numbers"):
        dataset = getattr(worlds, name)().dataset
        rows = np.linspace(0, len(dataset) - 1, 20).astype(int)
        user = serving.request_for_user(dataset, dataset.user_ids[3])
        exclude = dataset.catalogue.ad_ids[:2][None]
        made[name] = {
            "serving_default": serving.replay(dataset, rows),
            "score_slate": serving.with_candidates(
                dataset, user, dataset.catalogue.ad_ids[:7][None]
            ),
            "recommend": {
                **user,
                "exclude_ads": exclude,
                "exclude_history": [True],
                "k": [5],
            },
        }
        made[name]["recommend_from"] = {
            **serving.with_candidates(
                dataset,
                made[name]["recommend"],
                dataset.catalogue.ad_ids[:9][None],
            ),
            "bids": np.arange(9.0, dtype=np.float32)[None],
        }
        made[name]["encode_user"] = user
        reader, rows = getattr(worlds, name)().reader, np.array([2, 5, 3])
        new = new_ads(dataset, reader, rows[None])
        both = [dataset.catalogue.ad_ids[:7][None], new["new_ads"]]
        made[name]["score_new_ads"] = {
            **serving.with_candidates(dataset, user, np.concatenate(both, 1)),
            **new,
        }
        made[name]["encode_ads"] = reader.raw(
            dataset.catalogue, rows, as_tokens=True
        )
        if reader.reads_text:
            made[name]["encode_ads_text"] = reader.raw(dataset.catalogue, rows)
        examples = serving.to_examples(made[name]["serving_default"])
        made[name]["serve_examples"] = {"examples": examples}
    return made


def answers_in_c(name, requests, folder):
    """What TensorFlow's C library says, in a process without its Python."""
    folder.mkdir()
    for part in ("saved_model.pb", "variables"):
        (folder / part).symlink_to(worlds.bundle(name) / "1" / part)
    arrays = [
        (signature, {k: np.asarray(v) for k, v in request.items()})
        for signature, request in requests.items()
    ]
    write_warm_up(folder, name, worlds.of(name).signatures, arrays)
    answers, _ = replay(folder, 1, 0.0)
    return dict(zip(requests, answers, strict=True))


@pytest.mark.parametrize(
    "name", ["numbers", pytest.param("words", marks=pytest.mark.slow)]
)
def test_a_process_without_this_package_scores_the_same(
    requests, name, tmp_path
):
    """By the C API, whose session a server has; it checks what it imports.

    The replay of an export answers by the session and the object API, and
    `test_warm_up` asks every signature of the latter.
    """
    world = worlds.of(name)
    answered = answers_in_c(name, requests[name], tmp_path / "1")
    found = answered["serving_default"]["logits"]
    rows = np.linspace(0, len(world.dataset) - 1, 20).astype(int)
    batches = world.dataset.select(rows).batches(len(rows))
    expected = world.ranker.predict(batches)["clicked"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    slate = answered["score_slate"]
    # The same as row by row, the user's side given with each.
    request = requests[name]["score_slate"]
    one_by_one = {k: np.repeat(v, 7, axis=0) for k, v in request.items()}
    own = candidate_inputs(world.dataset.schema) & set(request)
    one_by_one |= {k: request[k][0] for k in own}
    expected = world.score(**one_by_one)
    assert set(slate) == set(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(slate[key], values[None], atol=1e-5)
    for signature in ("recommend", "recommend_from"):
        best = answered[signature]
        here = world.ask[signature](**requests[name][signature])
        np.testing.assert_allclose(best["logits"], here["logits"], atol=1e-5)
        np.testing.assert_array_equal(best["ad_ids"], here["ad_ids"])
    assert set(answered) == set(world.ask)
    for signature in set(world.ask) - {"recommend", "recommend_from"}:
        found = answered[signature]
        here = world.ask[signature](**requests[name][signature])
        assert set(found) == set(here)
        for key, values in here.items():
            np.testing.assert_allclose(found[key], values, atol=1e-5)


def test_signatures_are_those_of_the_docs():
    bundle = worlds.loaded("numbers")
    user = {
        "user_id": (tf.int64, 1),
        "history_ads": (tf.int64, 2),
        "history_events": (tf.string, 2),
        "history_ages": (tf.int32, 2),
        "history_length": (tf.int32, 1),
        "scroll": (tf.float64, 1),
        "device": (tf.string, 1),
    }
    choice = {
        "exclude_ads": (tf.int64, 2),
        "exclude_history": (tf.bool, 1),
        "k": (tf.int32, 1),
    }
    expected = {
        "serving_default": {**user, "candidate_ads": (tf.int64, 1)},
        "score_slate": {**user, "candidate_ads": (tf.int64, 2)},
        "serve_examples": {"examples": (tf.string, 1)},
        "recommend": {**user, **choice},
        "recommend_from": {
            **user,
            **choice,
            "candidate_ads": (tf.int64, 2),
            "bids": (tf.float32, 2),
        },
    }
    columns = {"brand": (tf.string, 1), "price": (tf.float64, 1)}
    new = {
        "new_ads": (tf.int64, 2),
        "new_brand": (tf.string, 2),
        "new_price": (tf.float64, 2),
    }
    scoring = set(expected) | {"score_new_ads"}
    expected |= {
        "score_new_ads": {**expected["score_slate"], **new},
        "encode_ads": columns,
        "encode_user": user,
    }
    assert set(bundle.signatures) == set(expected)
    words = worlds.loaded("words")
    for loaded in (bundle, words):
        encoded = loaded.signatures["encode_ads"].structured_outputs
        assert set(encoded) == {"vector", "fields", "bias"}
        encoded = loaded.signatures["encode_user"].structured_outputs
        assert set(encoded) == {"events", "mask", "bias"}
    copy = {k: (tf.string, 1) for k in ("title", "description", "tags")}
    tokens = {"token_ids": (tf.int32, 2), "token_length": (tf.int32, 1)}
    kinds = {"category": (tf.string, 1), "price": (tf.float64, 1)}
    for name, inputs in (
        ("encode_ads", kinds | tokens),
        ("encode_ads_text", kinds | copy),
    ):
        specs = words.signatures[name].structured_input_signature[1]
        assert {k: (s.dtype, s.shape.rank) for k, s in specs.items()} == inputs
    inputs = words.signatures["score_new_ads"].structured_input_signature[1]
    assert {k[4:] for k in inputs if k.startswith("new_")} == {
        "ads",
        *kinds,
        *copy,
    }
    for loaded, more in ((bundle, set()), (words, {"pcvr", "pctcvr"})):
        for name in scoring:
            answer = set(loaded.signatures[name].structured_outputs)
            ids = {"ad_ids"} if name.startswith("recommend") else set()
            assert answer == {"pctr", "logits", "score"} | more | ids
    for name, inputs in expected.items():
        specs = bundle.signatures[name].structured_input_signature[1]
        assert {k: (s.dtype, s.shape.rank) for k, s in specs.items()} == inputs


def test_open_bundle_answers_as_the_service(requests):
    request = requests["numbers"]["serving_default"]
    np.testing.assert_allclose(
        worlds.opened("numbers")["serving_default"](**request)["logits"],
        worlds.numbers().score(**request)["logits"],
        atol=1e-5,
    )


def test_open_bundle_reads_the_newest_version(tmp_path, monkeypatch):
    """Or the one whose folder it is given."""
    for version in ("2", "10"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "saved_model.pb").write_bytes(b"")
    read = []
    monkeypatch.setattr(
        "tensorflow.saved_model.load",
        lambda path: read.append(path) or types.SimpleNamespace(signatures={}),
    )
    serving.open_bundle(tmp_path)
    serving.open_bundle(tmp_path / "2")
    assert read == [tmp_path / "10", tmp_path / "2"]


@pytest.fixture(scope="session")
def made():
    """The worlds and a bundle, made before parts of an export are patched."""
    worlds.numbers()
    return worlds.bundle("words")


@pytest.fixture
def quick(made, no_graph, no_replay):
    """Exports without TensorFlow's parts, which take seconds."""


def export(path, name="numbers", **arguments):
    world = getattr(worlds, name)()
    return serving.export_bundle(
        world.ranker, world.dataset, path, **world.text, **arguments
    )


def test_versions_count_up(quick, tmp_path):
    path = tmp_path / "deep" / "model"
    assert export(path) == path / "1"
    assert export(path) == path / "2"
    assert export(path, version=10) == path / "10"
    (path / "notes").mkdir()
    # Numbers are compared as numbers.
    assert export(path) == path / "11"
    names = {p.name for p in path.iterdir() if p.is_dir()}
    assert names == {"1", "2", "10", "11", "notes"}


def test_an_export_says_where_pctr_is_no_probability(
    quick, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(bundle_module, "_export", lambda *_, **__: None)
    export(tmp_path / "numbers")
    assert "no probability" not in caplog.text
    ranker = worlds.numbers().ranker
    only_order = {"clicked": losses.get("softmax")}
    monkeypatch.setattr(ranker, "task_losses", only_order)
    export(tmp_path / "numbers")
    assert "of the loss softmax only the order within a request" in caplog.text


@pytest.mark.parametrize("version", [0, -1, 1])
def test_refused_versions(quick, tmp_path, version):
    export(tmp_path)
    with pytest.raises(InputError, match=f"Received: version={version} in"):
        export(tmp_path, version=version)


def test_an_export_that_fails_leaves_no_version(quick, tmp_path, monkeypatch):
    """Neither while it is written nor while it takes its place."""

    class KilledError(BaseException):
        pass

    def kill(*_, **__):
        raise KilledError

    for place in (
        "tfadrec.serving.bundle.check_parity",
        "tfadrec.core.owned_folder.os.rename",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, kill)
            with pytest.raises(KilledError):
                export(tmp_path)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(InputError, match="a folder of numbered versions"):
            serving.open_bundle(tmp_path)
    assert export(tmp_path).name == "1"


def test_what_sigkill_leaves_behind_is_no_version(quick, tmp_path, monkeypatch):
    """All of it lies in one hidden folder until the rename.

    The next export removes that, whatever its own version is.
    """
    seen = []
    monkeypatch.setattr(
        "tfadrec.serving.bundle.check_parity",
        lambda *_, **__: seen.extend(tmp_path.iterdir()),
    )
    export(tmp_path)
    assert [p.name[:24] for p in seen] == [".tfadrec-bundle-version-"]
    left = tmp_path / "other" / seen[0].name / "fresh"
    left.mkdir(parents=True)
    (left / "saved_model.pb").write_bytes(b"")
    with pytest.raises(InputError, match="a folder of numbered versions"):
        serving.open_bundle(tmp_path / "other")
    assert export(tmp_path / "other", version=5).name == "5"
    assert not left.exists()


def test_a_version_that_was_changed_is_not_opened(quick, tmp_path):
    version = export(tmp_path)
    serving_file = version / "saved_model.pb"
    serving_file.write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"where saved_model\.pb is not"
    ) as error:
        serving.open_bundle(tmp_path)
    assert "\n" not in str(error.value)


def test_a_second_export_is_refused(quick, tmp_path):
    with (
        bundle_folder(tmp_path).held(),
        pytest.raises(InputError, match="one process at a time"),
    ):
        export(tmp_path)
    assert list(tmp_path.iterdir()) == []


EXPORT = """
import sys
from tests.serving import worlds
from tfadrec import losses, serving

world = worlds.words()
print("begun", flush=True)
while True:
    serving.export_bundle(
        world.ranker, world.dataset, sys.argv[1], **world.text
    )
"""


@pytest.mark.slow
def test_killed_at_any_moment_leaves_whole_versions_alone(tmp_path):
    """SIGKILL, at moments drawn from the length of two exports."""
    random = np.random.default_rng(0)
    path = tmp_path / "model"
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", EXPORT, str(path)],
            cwd=processes.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout.readline() == b"begun\n"
            time.sleep(random.uniform(0, 40))
            process.kill()
        folders = path.iterdir() if path.is_dir() else ()
        for version in [p for p in folders if p.name.isdigit()]:
            assert (version / "parity.json").is_file()
            bundle = serving.open_bundle(version)
            assert set(bundle) == set(worlds.words().ask)
    request = serving.replay(worlds.words().dataset, [0])
    export(path, "words")
    serving.open_bundle(path)["serving_default"](**request)


@pytest.mark.parametrize("part", ["ad_tower/id", "converted_if_clicked_head"])
def test_a_bundle_that_scores_otherwise_is_not_exported(
    made, no_graph, tmp_path, monkeypatch, part
):
    """One weight changes between the writing and the check."""
    world = worlds.words()
    variable = next(
        v for v in world.ranker.trainable_variables if part in v.name
    )
    kept = variable.numpy()
    save = bundle_module.write_model

    def tamper(*arguments):
        save(*arguments)
        variable.assign_add(0.01 * np.ones(kept.shape, np.float32))

    def answer_as_written(_, cases):
        variable.assign(kept)
        asked = {
            (signature, "object", case): world.ask[signature](**request)
            for (signature, case), request in cases.items()
        }
        return asked, {}

    monkeypatch.setattr(
        bundle_module.RankingService, "signatures", lambda _: world.signatures
    )
    monkeypatch.setattr(bundle_module, "write_model", tamper)
    monkeypatch.setattr(parity, "_replay", answer_as_written)
    try:
        with pytest.raises(TfadrecError, match="Nothing was exported") as error:
            export(tmp_path, "words")
    finally:
        variable.assign(kept)
    assert not isinstance(error.value, InputError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_no_bundle(tmp_path, name):
    with pytest.raises(InputError, match="tfadrec export"):
        serving.open_bundle(tmp_path / name)


def test_more_ads_join_the_bundle_without_training(
    made, no_replay, tmp_path, monkeypatch
):
    """They score as new ones do; those that are known stay as they are.

    It is asked what was given to be saved. `test_export_with_more_ads` of
    `tests/cli` reads such a bundle back.
    """
    given = []
    monkeypatch.setattr(
        "tfadrec.serving.bundle.write_model",
        lambda service, folder, signatures: (
            folder.mkdir(exist_ok=True),
            given.extend((service, signatures)),
        ),
    )
    module = "tfadrec.serving.bundle"
    monkeypatch.setattr(f"{module}.foreign_ops", lambda _: {})
    monkeypatch.setattr(f"{module}.write_warm_up", lambda *_: None)
    traced = serving.RankingService.signatures
    monkeypatch.setattr(
        f"{module}.RankingService.signatures",
        lambda service: traced(service, "score_slate", "recommend"),
    )
    world = worlds.words()
    catalogue = world.dataset.catalogue
    more = dataclasses.replace(
        catalogue.take(np.array([4, 7, 1])),
        ad_ids=np.array(["fresh", "other", catalogue.ad_ids[1]], object),
        titles=[catalogue.titles[4], catalogue.titles[7], "not read"],
    )
    more = dataclasses.replace(
        more, columns={k: v for k, v in more.columns.items() if k != "text"}
    )
    export(tmp_path, "words", catalogue=more)
    bundle = serving.answers(*given)
    request = serving.replay(world.dataset, [0])
    slate = serving.with_candidates(
        world.dataset, request, np.array([["fresh", "other"]], object)
    )
    found = bundle["score_slate"](**slate)["logits"]
    new = new_ads(world.dataset, world.reader, np.array([[5, 8]]))
    expected = world.ask["score_new_ads"](
        **serving.with_candidates(world.dataset, request, new["new_ads"]), **new
    )["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert abs(found[0, 0] - found[0, 1]) > 1e-3
    # A history may name them, and they are recommended.
    best = bundle["recommend"](
        **without_candidates(world.dataset.schema, request),
        exclude_ads=np.array([["other"]], object),
        exclude_history=[False],
        k=[99],
    )["ad_ids"][0]
    assert len(best) == len(catalogue) + 2
    assert sorted(filter(None, map(bytes.decode, best))) == sorted(
        [*catalogue.ad_ids, "fresh"]
    )
    known = serving.with_candidates(
        world.dataset, request, catalogue.ad_ids[None]
    )
    np.testing.assert_allclose(
        bundle["score_slate"](**known)["logits"],
        world.ask["score_slate"](**known)["logits"],
        atol=1e-5,
    )


@pytest.mark.slow
def test_a_trained_run_is_exported_and_answers(no_replay, tmp_path):
    """A ranker that was reloaded from model.keras serves the same.

    In the default run, the last lines of `tests/test_end_to_end.py` say so.
    """
    run = small.run()
    bundle = serving.export_bundle(run.ranker, run.test, tmp_path)
    rows = np.arange(len(run.test))
    found = serving.open_bundle(bundle)["serving_default"](
        **serving.replay(run.test, rows)
    )
    expected = run.ranker.predict(run.test.batches(64))["clicked"]
    np.testing.assert_allclose(found["logits"], expected, atol=1e-5)
