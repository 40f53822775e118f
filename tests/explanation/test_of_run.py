"""`tfadrec explain` on the small run, and explained as served."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

from tests.training import small
from tfadrec import serving
from tfadrec.cli import main
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.explanation import explain_request, explain_run
from tfadrec.models import RankerEnsemble


def call(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def said(result):
    return json.loads(
        result.stdout.splitlines()[-1], parse_constant=pytest.fail
    )


def one():
    dataset = small.run().dataset
    return dataset.user_ids[3], dataset.catalogue.ad_ids[5]


def test_what_is_explained_is_what_is_served():
    run = small.run()
    user, ad = one()
    found = explain_request(run, user, ad)
    request = serving.with_candidates(
        run.dataset,
        serving.request_for_user(run.dataset, user),
        np.array([[ad]], object),
    )
    service = serving.RankingService(run.ranker, run.dataset)
    served = service.score_slate(
        **{name: tf.convert_to_tensor(v) for name, v in request.items()}
    )
    prob = float(served["pctr"][0, 0])
    assert found["logit"] == pytest.approx(np.log(prob / (1 - prob)), abs=1e-4)
    total = sum(found["fields"].values())
    assert found["unknown"] + total == pytest.approx(found["logit"], abs=0.01)


def test_one_request():
    user, ad = one()
    arguments = ("explain", small.run_folder(), "--user", user, "--ad", ad)
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found = said(result)
    catalogue = small.run().dataset.catalogue
    assert f"ad {ad} " in result.stdout
    assert catalogue.titles[5] in result.stdout
    assert found["completeness_error"] < 0.01
    assert "completeness error 0." in result.stdout
    assert list(found["fields"]) == sorted(
        found["fields"], key=lambda name: -abs(found["fields"][name])
    )
    assert {"ad id", "user id", "ad.price", "history type and age"} <= set(
        found["fields"]
    )
    events = found["events"]
    assert 0 < len(events) <= 6
    ages = [event["age_seconds"] for event in events]
    assert ages == sorted(ages, reverse=True)
    assert all(set(event["attention"]) == {"encoder"} for event in events)
    assert found["near"] == []  # it reads no ad copy


@pytest.mark.slow
def test_in_sum():
    result = call("explain", small.run_folder(), "--rows", 20, "--json")
    assert result.exit_code == 0, result.output
    found = said(result)
    assert found["rows"] == 20
    assert found["worst_error"] < 0.01
    assert "candidate.position" in found["parts"]
    losses = [i["loss"] for i in found["importances"]]
    assert losses == sorted(losses, reverse=True)
    assert all(i["low"] < i["loss"] < i["high"] for i in found["importances"])
    assert "Without the events that it names" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--user", "u000000"], "a user and an ad. Received: --user alone"),
        (["--ad", "a000000"], "a user and an ad. Received: --ad alone"),
        (
            ["--user", "nobody", "--ad", "a000000"],
            "of a known user. Received: 'nobody', which the dataset does not "
            "have. Name one of it, such as u0",
        ),
        (
            ["--user", "u000000", "--ad", "a000099"],
            "of a known ad. Received: 'a000099', which the dataset does not "
            "have. Name one of it, such as a000000. Did you mean a0000",
        ),
        (["--copy", "New"], "Received: --copy without --user and --ad"),
        (
            ["--user", "u000000", "--ad", "a000000", "--copy", "New"],
            "reads ad copy. Received: a run with `text: null`",
        ),
        (
            ["--user", "u000000", "--ad", "a000000", "--task", "sold"],
            "what it predicts: clicked. Received: 'sold'",
        ),
    ],
)
def test_wrong_calls_are_one_line(options, message):
    result = call("explain", small.run_folder(), *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("who", [("nobody", "a000000"), ("u000000", "none")])
def test_ids_are_looked_at_before_tensorflow_is_loaded(monkeypatch, who):
    monkeypatch.setattr("tfadrec.cli.explain.load_tensorflow", pytest.fail)
    user, ad = who
    result = call("explain", small.run_folder(), "--user", user, "--ad", ad)
    assert result.exit_code == 2
    assert "which the dataset does not have" in result.stderr


def test_no_such_run(tmp_path):
    result = call("explain", tmp_path / "none", "--user", "u", "--ad", "a")
    assert result.exit_code == 2
    assert "which is not there" in result.stderr


def test_the_average_of_several_rankers_is_refused():
    run = small.run()
    ensemble = RankerEnsemble([run.ranker, run.ranker])
    together = dataclasses.replace(run, ranker=ensemble)
    for ask in (
        lambda: explain_request(together, *one()),
        lambda: explain_run(together),
    ):
        with pytest.raises(InputError, match=r"one ranker is explained at a"):
            ask()
