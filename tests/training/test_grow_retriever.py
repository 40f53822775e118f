"""A retriever that goes on with a ranker that learns every day."""

import json
import types

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from tests.data import tiny_encoder
from tests.training import small
from tests.training.test_grow_vocabulary import grown, in_grown, known
from tests.training.test_update import CONFIG, write_day
from tfadrec import models, serving, training
from tfadrec.cli.main import main
from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.runs import before
from tfadrec.runs.record import GROWN, grown_from
from tfadrec.serving.requests import plain_choice, without_candidates


def settings_of(**sections):
    """Those of a retriever."""
    text = yaml.safe_dump({"model": "retriever", **sections})
    return RunConfig.from_yaml(text)


def test_what_it_has_learned_is_kept():
    """New ads and users stand between those that it knows."""
    dataset, (ads, users) = known()
    retriever = models.AdRetriever.for_dataset(
        dataset, ad_tower={"width": 4}, interests=2, hard_negatives=2
    )
    retriever.compile(keras.optimizers.Adam(0.01))
    with small.untraced():
        retriever.fit(dataset.batches(64, seed=0), steps_per_epoch=4, verbose=0)
    run = types.SimpleNamespace(
        retriever=retriever,
        dataset=dataset,
        config=settings_of(text=None),
    )
    more = training.grow_retriever(run, grown())
    assert more.ad_tower.num_rows > len(ads)
    assert more.user_tower.num_users > len(users)
    vectors = more.catalogue_vectors()
    np.testing.assert_array_equal(vectors[ads], retriever.catalogue_vectors())
    shares = retriever.click_shares.numpy()
    np.testing.assert_array_equal(more.click_shares.numpy()[ads], shares)
    new = np.setdiff1d(np.arange(len(vectors)), ads)
    assert len(np.unique(vectors[new].round(6), axis=0)) > 1  # by columns
    np.testing.assert_array_equal(more.click_shares.numpy()[new], shares[0])
    [(inputs, *_)] = dataset.batches(10**6)
    again = in_grown(inputs, ads, users)
    found, expected = more(again), retriever(inputs)
    for name in ("user", "ad"):
        np.testing.assert_array_equal(found[name], expected[name])
    run.dataset = grown()
    with pytest.raises(InputError, match="4 ads fewer"):
        training.grow_retriever(run, dataset)


def record(fingerprint, **more):
    text = settings_of().to_yaml()
    made = {"data": f"data/{fingerprint}", "config": text}
    return {"fingerprint": fingerprint, **made, **more}


def test_what_a_ranker_grew_from(monkeypatch, tmp_path):
    """All the days before: the record of each update names them."""
    monday = record("1")
    tuesday = record("2", **grown_from(monday))
    wednesday = record("3", **grown_from(tuesday))
    assert wednesday[GROWN] == "2 1"
    # One that `training.fit` wrote, of a dataset from nowhere.
    assert grown_from(record("")) == {GROWN: ""}
    for theirs, grows in (("1", True), ("2", True), ("3", False)):
        answer = record(theirs) | {"data": str(tmp_path)}
        monkeypatch.setattr(before, "check_run", returning(answer))
        assert before.check_retriever(wednesday, "find", ()) == grows
    monkeypatch.setattr(before, "check_run", returning(record("1")))
    with pytest.raises(InputError, match=r"data/1, which is not there"):
        before.check_retriever(wednesday, "find", ())
    for theirs in ("4", ""):
        monkeypatch.setattr(before, "check_run", returning(record(theirs)))
        with pytest.raises(
            InputError,
            match=r"grew from by updates\. Received: find, .* Train the "
            "retriever with --data data/3, or find candidates by --anchors",
        ):
            before.check_retriever(wednesday, "find", ())


def returning(answer):
    return lambda *_, **__: answer


@pytest.mark.slow
def test_every_night(tmp_path):
    """A day brings an ad, a user and values, and the retriever finds that."""
    days = [write_day(tmp_path / f"day{day}", day) for day in range(2)]
    text = {
        "model": str(tiny_encoder.write_model(tmp_path / "model")),
        "max_tokens": 8,
    }
    run, find = tmp_path / "run", tmp_path / "find"
    config = small.config(text=text, **CONFIG)
    settings = settings_of(
        text=text,
        ad_tower={"width": 4},
        fit={**CONFIG["fit"], "epochs": 1},
        data=config.data,
    )
    with small.untraced():
        training.train(days[0], config, run, progress=False)
        training.train_retriever(days[0], settings, find, progress=False)
        training.update(run, days[1], tmp_path / "next", progress=False)
    asked = ["export", tmp_path / "next", "--retriever", find]
    done = CliRunner().invoke(
        main, [*map(str, asked), "--out", str(tmp_path / "shop"), "--json"]
    )
    assert done.exit_code == 0, done.output
    folder = json.loads(done.stdout.splitlines()[-1])["bundle"]
    dataset = training.load_run(tmp_path / "next").dataset
    assert dataset.catalogue.ad_ids.tolist() == ["a0", "a1", "a2", "a3", "a4"]
    asked = without_candidates(dataset.schema, serving.replay(dataset, [0]))
    found = serving.open_bundle(folder)["retrieve"](
        **asked, **plain_choice(dataset, 1, 5, {})
    )
    named = sorted(i.decode() for i in np.asarray(found["ad_ids"])[0])
    assert named == ["a0", "a1", "a2", "a3", "a4"]
