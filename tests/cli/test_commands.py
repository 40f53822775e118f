"""Every command: help, JSON, exit codes, one-line errors."""

import functools
import gc
import json
import logging
import os
import pathlib
import re
import shutil
import subprocess
import sys

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from tests.data import tiny_encoder
from tests.training import small
from tfadrec import data, serving
from tfadrec.cli import main
from tfadrec.cli.command import Command, _staying, load_tensorflow
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.serving import ad_expiry, loaded_ads
from tfadrec.serving.ad_record import AdRecord
from tfadrec.serving.change_ads import AdChanges
from tfadrec.serving.deployment import write_labels

COMMANDS = [
    ("quickstart",),
    ("prepare",),
    ("prepare", "movielens-100k"),
    ("prepare", "mind"),
    ("prepare", "table"),
    ("prepare", "synthetic"),
    ("encode-ads",),
    ("pretrain",),
    ("train",),
    ("update",),
    ("replay",),
    ("tune",),
    ("calibrate",),
    ("doctor",),
    ("evaluate",),
    ("explain",),
    ("export",),
    ("index",),
    ("apply-delta",),
    ("promote",),
    ("rollback",),
    ("recommend",),
    ("serve",),
    ("monitor",),
]


def call(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def said(result):
    """The JSON object in the last line of standard output."""
    return json.loads(
        result.stdout.splitlines()[-1], parse_constant=pytest.fail
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_has_an_example(command, option):
    result = call(*command, option)
    assert result.exit_code == 0
    example = result.stdout.split("Example:")[1]
    assert f"tfadrec {' '.join(command)}" in example
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_group_lists_every_command():
    result = call("--help")
    assert result.exit_code == 0
    assert set(main.commands) == {c[0] for c in COMMANDS}
    listed = result.stdout.split("Commands:")[1]
    for name, command in main.commands.items():
        assert name in listed
        assert command.get_short_help_str(100)
    prepared = main.commands["prepare"].commands
    assert set(prepared) == {c[1] for c in COMMANDS if len(c) == 2}
    assert call("--version").stdout.startswith("tfadrec, version ")


@pytest.fixture
def run(untraced, tmp_path):
    """A copy of the finished run, so that a report can be written into it."""
    return shutil.copytree(small.run_folder(), tmp_path / "run")


def test_prepare_synthetic(tmp_path):
    result = call("prepare", "synthetic", "--out", tmp_path / "w", "--json")
    assert result.exit_code == 0
    assert (tmp_path / "w" / "schema.json").is_file()
    assert said(result)["counts"][2]["kept"] == 2000 * 50 * 5
    assert len(result.stdout.splitlines()) > 1


def test_train(tmp_path):
    """Prints the best epoch by the metric that was asked for."""
    settings = tmp_path / "small.yaml"
    settings.write_text(
        small.YAML.replace("epochs: 4", "epochs: 2, monitor: val_log_loss")
        + "\ntrack: {hparams: true, projector: true}\n"
    )
    arguments = ["--data", small.world(), "--config", settings]
    result = call("train", *arguments, "--out", tmp_path / "run", "--json")
    assert result.exit_code == 0, result.output
    answer = said(result)
    assert answer["run"] == str(tmp_path / "run")
    logs = tmp_path / "run" / "tensorboard" / "train"
    titles = (logs / "titles.tsv").read_text().splitlines()
    vectors = np.loadtxt(logs / "ads.tsv")
    assert len(titles) == len(vectors) == len(small.run().dataset.catalogue)
    assert titles[0] == small.run().dataset.catalogue.titles[0]
    assert np.ptp(vectors, axis=0).max() > 0
    config = (logs / "projector_config.pbtxt").read_text()
    assert text_format.Parse(config, ProjectorConfig()).embeddings
    assert b"fit.epochs" in b"".join(f.read_bytes() for f in logs.glob("*"))
    history = answer["history"]
    best = min(history, key=lambda epoch: epoch["val_log_loss"])
    assert f"  val_log_loss {best['val_log_loss']:.4f}" in result.stdout
    assert f"  val_auc {best['val_auc']:.4f}" in result.stdout
    assert f"{len(history)} epochs" in result.stdout
    assert "epoch 1/2  loss" in result.stderr
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    assert state["history"] == history
    # Beside the baselines, on the validation rows; what is wrong comes last.
    kept = json.loads((tmp_path / "run" / "baselines.json").read_text())
    assert kept == {k: answer[k] for k in ("rows", "baselines", "verdicts")}
    assert f"\n{kept['rows']['rows']:,} validation rows, " in result.stdout
    assert f"\nthe ranker           {best['val_auc']:.4f}" in result.stdout
    constant = kept["baselines"]["constant"]["clicked"]
    assert constant["auc"] == 0.5
    assert f"{constant['log_loss']:.4f}" in result.stdout
    lines = result.stdout.splitlines()
    told = len(kept["verdicts"])
    assert lines[-2 - told] == f"Next: tfadrec evaluate {tmp_path / 'run'}"
    assert lines[-1 - told : -1] == kept["verdicts"]


def test_pretrain(tmp_path):
    """The options win over the config, and the model is a folder to name."""
    settings = tmp_path / "small.yaml"
    settings.write_text(
        "objective: masked\nheld_out: 0.2\nepochs: 1\nbatch_size: 4\n"
        "model: {type: gpt2, vocabulary_size: 270, width: 8, num_layers: 1}\n"
    )
    out = tmp_path / "run"
    arguments = ["--data", small.world(), "--config", settings, "--out", out]
    result = call("pretrain", *arguments, "--objective", "causal", "--json")
    assert result.exit_code == 0, result.output
    answer = said(result)
    assert answer["model"] == str(out / "model")
    assert answer["texts"] == 20
    (epoch,) = answer["history"]
    before = answer["before"]["val_perplexity"]
    line = f"val_perplexity {before:.4f} before, {epoch['val_perplexity']:.4f}"
    assert line in result.stdout
    assert (out / "model" / "tokenizer.json").is_file()


def test_a_column_is_checked_before_anything_is_measured(run):
    result = call("evaluate", run, "--fairness", "categori")
    assert result.exit_code == 2
    assert "Did you mean ad.category?" in result.stderr
    assert not result.stdout


def test_evaluate(run):
    options = ("--fairness", "ad.category", "--slice", "hour", "--json")
    result = call("evaluate", run, *options)
    assert result.exit_code == 0, result.output
    (of_run,) = said(result)["runs"].values()
    (by,) = of_run["fairness"]
    shares = [group["share"] for group in by["groups"].values()]
    assert len(shares) > 1
    assert sum(shares) == pytest.approx(1)
    assert "exposure: " in result.stdout
    assert "Exposure and error by group" in (run / "report.html").read_text()
    metrics = said(result)["metrics"]["clicked"]
    assert 0 <= metrics["auc"] <= 1
    assert metrics["count"] == len(small.run().test)
    hours = {n: s for n, s in of_run["slices"].items() if "hour=" in n}
    counts = [found["clicked"]["count"] for found in hours.values()]
    assert sum(counts) == metrics["count"]
    page = (run / "report.html").read_text()
    assert page.startswith("<!")
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        *("Data", "Learning", "Beside the baselines", "Calibration"),
        *("Slices", "What the first ad of a request brings"),
        "Exposure and error by group",
        *("ROC and precision", "Ads", "Settings", "Facts"),
    ]
    assert "auc" in result.stdout


def test_evaluate_several_runs(run, tmp_path):
    """One table for all, and a report in each folder."""
    other = shutil.copytree(run, tmp_path / "other")
    result = call("evaluate", run, other, run, "--json")
    assert result.exit_code == 0, result.output
    found = said(result)
    assert list(found["runs"]) == [str(run), str(other)]
    first, second = found["runs"].values()
    assert first["metrics"] == second["metrics"] == found["metrics"]
    table = result.stdout.partition(" test rows, ")[2].splitlines()
    names = [line.split("  ")[0] for line in table[3:9]]
    assert names == [*found["baselines"], str(run), str(other)]
    test = small.run().test.impressions
    assert found["rows"] == {
        "rows": len(test.ads),
        "users": len(set(test.users)),
        "ads": len(set(test.ads)),
        "from": str(test.times.min().astype("M8[s]")).replace("T", " "),
        "to": str(test.times.max().astype("M8[s]")).replace("T", " "),
        "label": "clicked",
        "rate": pytest.approx(test.labels["clicked"].mean()),
    }
    (line, _) = found["verdicts"]  # the small run has learned next to nothing
    assert line.startswith(f"Run {run} ")
    assert result.stdout.splitlines()[-3] == line
    for folder in (run, other):
        page = (folder / "report.html").read_text()
        assert "logistic regression" in page
        assert page.count(" best baseline: ") + page.count(" chance: ") == 1


def test_calibrate(run):
    """Kept in the run's folder, read by all that load it, and taken away."""
    file = run / "calibration.json"
    result = call("calibrate", run, "--field", "category", "--json")
    assert result.exit_code == 0, result.output
    found = said(result)
    assert found["calibration"] == str(file)
    assert found["rows"] == "test"
    assert json.loads(file.read_text())["field"] == "category"
    raw, calibrated = found["raw"], found["calibrated"]
    assert raw["clicked"]["log_loss"] != calibrated["clicked"]["log_loss"]
    assert "calibration_low" in result.stdout
    evaluated = said(call("evaluate", run, "--json"))["metrics"]
    assert evaluated == calibrated
    assert call("calibrate", run, "--remove").exit_code == 0
    assert not file.exists()
    assert said(call("evaluate", run, "--json"))["metrics"] == raw
    wrong = call("calibrate", run, "--field", "categry")
    assert wrong.exit_code == 2
    assert "Did you mean category?" in wrong.stderr


def test_a_calibration_that_does_harm_is_not_written(run, monkeypatch):
    file = run / "calibration.json"
    for kept in (None, str(file)):
        if kept:
            assert call("calibrate", run).exit_code == 0
            before = file.read_text()
        with monkeypatch.context() as patch:
            patch.setattr(
                "tfadrec.calibration.cross_fitted",
                lambda raw, rows, **_: {t: z + 9 for t, z in raw.items()},
            )
            result = call("calibrate", run, "--method", "beta", "--json")
        assert result.exit_code == 3, result.output
        assert "It does harm" in result.stdout
        assert said(result)["calibration"] == kept
        assert file.exists() == bool(kept)
    assert file.read_text() == before
    assert call("calibrate", run, "--remove").exit_code == 0


def test_doctor(run):
    """Of the run, which has learned next to nothing, and of its dataset."""
    result = call("doctor", run, "--json")
    assert result.exit_code in (0, 3), result.output
    found = said(result)
    assert found["kind"] == "run"
    levels = {finding["level"] for finding in found["findings"]}
    assert result.exit_code == (3 if levels - {"note"} else 0)
    for finding in found["findings"]:
        assert f"{finding['level']} {finding['name']} (" in result.stdout
    result = call("doctor", small.world(), "--json")
    assert (result.exit_code, said(result)) == (
        0,
        {"kind": "dataset", "findings": []},
    )
    assert "Nothing was found." in result.stdout
    result = call("doctor", run / "tensorboard")
    assert result.exit_code == 2
    assert "tensorboard, which is none of them. Name the" in result.stderr


def test_runs_that_differ_in_the_seed_are_one_model(run, tmp_path):
    """The same weights three times: no difference, of rows or of seeds."""
    others = [
        shutil.copytree(run, tmp_path / name) for name in ("seed", "other")
    ]
    changes = [("epochs: 4", "epochs: 4\n  seed: 5"), ("width: 4", "width: 8")]
    for other, change in zip(others, changes, strict=True):
        record = json.loads((other / "run.json").read_text())
        assert change[0] in record["config"]
        record["config"] = record["config"].replace(*change)
        small.rewrite(other, "run.json", json.dumps(record))
    gates = ["--must-not-lose", "0.001", "--in", "all,with_history"]
    result = call("evaluate", run, *others, *gates, "--json")
    assert result.exit_code == 0, result.output
    found = said(result)
    runs = list(map(str, [run, *others]))
    assert found["models"] == {runs[0]: runs[:2], runs[2]: runs[2:]}
    assert {d["model"] for d in found["differences"]} == {runs[2]}
    for difference in found["differences"]:
        assert difference["reference"] == runs[0]
        assert difference["difference"] in (0, None)
        assert difference["seeds_error"] in (0, None)
    parts = [(g["part"], g["state"]) for g in found["gates"]]
    assert parts == [("all", "held"), ("with_history", "held")]
    assert f"{runs[2]} against {runs[0]}, clicked" in result.stdout
    assert "Against the reference" in (run / "report.html").read_text()


def test_a_gate_has_exit_codes(run, tmp_path, monkeypatch):
    """3 and 4 where it does not hold, and 2 for a gate of one run."""
    other = shutil.copytree(run, tmp_path / "other")
    module = "tfadrec.evaluation.comparison.gate_result.GateResult.state"
    for state, code, by in (("lost", 3, "user"), ("open", 4, "request")):
        monkeypatch.setattr(module, state)
        gate = ["--must-not-lose", "0", "--by", by]
        result = call("evaluate", run, other, *gate)
        assert result.exit_code == code
        assert f"over resampled {by}s" in result.stdout
        assert f"Gate {state}: {other} must not lose 0 of" in result.stdout
    result = call("evaluate", run, "--must-not-lose", "0.1")
    assert result.exit_code == 2
    assert "a gate compares runs with the first one." in result.stderr
    gates = ["--must-not-lose", "0", "--in", "all,warm_adz"]
    result = call("evaluate", run, other, *gates)
    assert result.exit_code == 2
    assert "Did you mean warm_ads?" in result.stderr
    assert not result.stdout  # nothing is measured


@pytest.mark.parametrize(
    ("part", "old", "new", "message"),
    [
        ("fingerprint", "", "x", "which differs. Evaluate them one by one."),
        (
            "settings",
            "history_length: 6",
            "history_length: 6\n  test: 0.2",
            "split the dataset in different ways.",
        ),
    ],
)
def test_runs_on_different_rows(run, tmp_path, part, old, new, message):
    other = shutil.copytree(run, tmp_path / "other")
    record = json.loads((other / "run.json").read_text())
    assert old in record[part]
    record[part] = record[part].replace(old, new, 1)
    small.rewrite(other, "run.json", json.dumps(record))
    result = call("evaluate", run, other)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "runs are compared on the same test rows. Received: " in line
    assert line.endswith(message) or message in line
    assert not (run / "report.html").exists()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_encoder.write_model(tmp_path_factory.mktemp("model"))


CALL_EACH = """
import sys
import types
from tfadrec.cli import main

*arguments, out = sys.argv[1:]
for dtype in ("float32", "float32", "bfloat16"):
    try:
        main([*arguments, "--dtype", dtype, "--out", f"{out}/{dtype}"])
    except SystemExit as end:
        assert end.code == 0, end.code
"""


def test_encode_ads(tmp_path, model):
    """In a process of its own: TensorFlow's threads are chosen there."""
    arguments = ["encode-ads", "--data", small.world(), "--model", model]
    done = process(
        *("-c", CALL_EACH, *arguments, "--max-tokens", 16, "--json", tmp_path),
        TFADREC_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    first, second, half = answers
    assert first["ads"] == second["ads"] == half["ads"] == 20
    assert first["encoded"] == half["encoded"] > 0
    assert second["encoded"] == 0
    exact, close = (
        np.load(tmp_path / dtype / "vectors.npy")
        for dtype in ("float32", "bfloat16")
    )
    assert exact.shape == (20, 8)
    assert 0 < np.abs(exact - close).max() < 0.05
    assert done.stderr == ""  # no terminal, and quick


def test_exports_are_versions(no_graph, no_replay, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = pathlib.Path("saved_models/run")  # where a run goes by default
    for version, more in ((1, ()), (2, ("--out", out))):
        result = call("export", "run", *more, "--json")
        assert result.exit_code == 0, result.output
        expected = {"bundle": str(out / str(version)), "version": version}
        assert said(result) == expected


def test_export_with_more_ads(no_replay, few_signatures, run, tmp_path):
    """Of two, one is new to the run."""
    few_signatures("serving_default", "recommend")
    table = pq.read_table(small.world() / "ads.parquet").slice(0, 2)
    place = table.column_names.index("ad_id")
    ids = pa.array([table["ad_id"][0].as_py(), "a new ad"])
    pq.write_table(table.set_column(place, "ad_id", ids), tmp_path / "new")
    out = tmp_path / "bundles"
    more = ("--out", out, "--catalogue", tmp_path / "new")
    result = call("export", run, *more, "--json")
    assert result.exit_code == 0, result.output
    expected = {"bundle": str(out / "1"), "version": 1, "new_ads": 1}
    assert said(result) == expected
    assert "1 of 2 ads are new to the run." in result.stdout
    bundle = serving.open_bundle(out)
    assert "serving_default" in bundle
    best = bundle["recommend"](
        **serving.request_for_user(small.run().dataset, "nobody"),
        exclude_ads=np.zeros([1, 0], object),
        exclude_history=[False],
        k=[99],
    )
    assert b"a new ad" in best["ad_ids"][0]


@functools.cache
def expiring():
    """The world, twice: with a column of times, and as `prepare` writes it.

    Of its twenty ads the first eleven expire at seconds 100 to 110, and the
    others in the year 2100.
    """
    world = shutil.copytree(small.world(), small.folder() / "expiring")
    (world / "manifest.json").unlink()
    table = pq.read_table(world / "ads.parquet")
    ends = pa.array(np.where(np.arange(20) < 11, np.arange(20) + 100, 4.1e9))
    plain = shutil.copytree(world, small.folder() / "ends")
    ends = ends.cast(pa.int64())
    pq.write_table(table.append_column("ends", ends), plain / "ads.parquet")
    table = table.append_column("expires_seconds", ends)
    pq.write_table(table, world / "ads.parquet")
    return plain, world, table["ad_id"].to_pylist()


def given_at(out, now):
    """The ads that a bundle gives at a moment, if it asks for one."""
    ask = serving.open_bundle(out)["recommend"]
    moment = {"now_seconds": [now]} if "now_seconds" in ask.inputs else {}
    best = ask(
        **serving.request_for_user(small.run().dataset, "nobody"),
        exclude_ads=np.zeros([1, 0], object),
        exclude_history=[False],
        k=[99],
        **moment,
    )
    return {i.decode() for i in best["ad_ids"][0]} - {""}


def test_export_with_ads_that_expire(no_replay, few_signatures, run, tmp_path):
    """A column of ads.parquet that no feature is made of."""
    few_signatures("serving_default", "recommend")
    plain, _, ads = expiring()
    out = tmp_path / "bundles"
    more = ("--out", out, "--data", plain)
    result = call("export", run, *more, "--expires", "end")
    assert result.exit_code == 2
    assert "does not have. Did you mean ends?" in result.stderr
    result = call("export", run, *more, "--expires", "ends")
    assert result.exit_code == 0, result.output
    assert "Ads expire by ends: 11 of 20 have." in result.stdout
    assert given_at(out, 105) == set(ads[6:])


def test_export_by_the_expiry_that_prepare_wrote(
    no_replay, few_signatures, run, tmp_path
):
    """Unless it is told not to."""
    few_signatures("serving_default", "recommend")
    _, world, ads = expiring()
    out = tmp_path / "bundles"
    more = ("--out", out, "--data", world)
    result = call("export", run, *more, "--no-expiry", "--expires", "ends")
    assert result.exit_code == 2
    assert "Received: --expires and --no-expiry" in result.stderr
    result = call("export", run, *more)
    assert result.exit_code == 0, result.output
    assert "Ads expire by expires_seconds: 11 of 20 have." in result.stdout
    assert given_at(out, 105) == set(ads[6:])
    assert given_at(out, 0) == set(ads[11:])  # as of now
    result = call("export", run, *more, "--no-expiry")
    assert result.exit_code == 0, result.output
    assert "expire" not in result.stdout
    assert given_at(out, 0) == set(ads)


def test_recommend_leaves_out_ads_that_have_expired(run):
    _, world, ads = expiring()
    asked = ("recommend", run, "--user", "?", "-k", 99, "--data", world)

    def found(*more):
        result = call(*asked, *more, "--json")
        assert result.exit_code == 0, result.output
        answer = said(result)
        given = {ad["ad_id"] for ad in answer["recommendations"]}
        told = result.stdout.splitlines()[0]
        return given, answer["expired_ads"], told

    given, expired, told = found()
    assert (given, expired) == (set(ads[11:]), 11)
    assert told.startswith("11 of 20 ads have expired by 20")
    given, expired, told = found("--now", "1970-01-01T00:01:45")
    assert (given, expired) == (set(ads[6:]), 6)
    assert told == (
        "6 of 20 ads have expired by 1970-01-01 00:01:45 (UTC) and are left "
        "out; --now asks as of another moment."
    )
    given, *_ = found("--now", "0")
    assert given == set(ads)
    given, *_, told = found("--now", "2199-12-31T23:59:59")
    assert (given, told.split()[0]) == (set(), "20")


@pytest.mark.parametrize(
    ("now", "world", "message"),
    [
        ("today", True, "Received: --now 'today'. Write"),
        ("", True, "Received: --now ''"),
        ("2200-01-01", True, "Received: --now '2200-01-01'. Name an earlier"),
        ("7258118400", True, "before the year 2200. Received: --now '7258"),
        ("5", False, "that `prepare` wrote without `expires`"),
    ],
)
def test_moments_that_are_none(run, now, world, message):
    data = expiring()[1] if world else small.world()
    asked = ("recommend", run, "--user", "?", "--data", data)
    result = call(*asked, "--now", now)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout  # and no count of ads that have expired by then


def test_bytes_of_an_index_that_is_not_there(run, tmp_path):
    result = call("export", run, "--out", tmp_path / "x", "--codes", "8")
    assert result.exit_code == 2
    assert "Received: --codes 8 without --retriever" in result.stderr


def test_a_number_of_candidates_that_nothing_reads(run, tmp_path):
    asked = ("export", run, "--out", tmp_path / "x", "--candidates", 50)
    result = call(*asked)
    assert result.exit_code == 2
    assert "Received: --candidates 50 without --retriever" in result.stderr
    for more in (("--cap", "none"), ("--diversify", "none")):
        assert "'none'" in call(*asked, *more).stderr


@pytest.fixture
def changed(monkeypatch, tmp_path):
    """What `tfadrec index` asks for of a bundle `b`, whose graph is empty."""
    asked = {}
    monkeypatch.chdir(tmp_path)
    pathlib.Path("b/6").mkdir(parents=True)
    pathlib.Path("b/6/saved_model.pb").touch()
    write_labels("b", {"stable": 6, "canary": 6})

    def change_ads(bundle, **changes):
        asked.update(changes, bundle=bundle)
        counts = {"added": 2, "replaced": 1, "removed": 3, "unknown": 0}
        return AdChanges(pathlib.Path(bundle, "7"), **counts, left_out=4)

    monkeypatch.setattr(serving, "change_ads", change_ads)
    return asked


def test_index(changed, tmp_path):
    """What joins, what takes a place, and who leaves, in one version."""
    ads = small.world() / "ads.parquet"
    table = pq.read_table(ads).append_column("ends", pa.array(range(20)))
    pq.write_table(table, tmp_path / "new")
    gone = tmp_path / "gone.txt"
    gone.write_text("a\nb\n")
    result = call(
        *("index", "b", "--add", tmp_path / "new", "--data", small.world()),
        *("--replace", "--expires", "ends", "--remove", gone, "--remove", "c"),
        "--json",
    )
    assert result.exit_code == 0, result.output
    assert said(result) == {
        "bundle": "b/7",
        "version": 7,
        "new_ads": 2,
        "replaced_ads": 1,
        "removed_ads": 3,
        "unknown_ads": 0,
        "left_out_ads": 4,
    }
    assert "20 of the file's 20 ads have expired already" in result.stdout
    assert "4 ads more are left out, as earlier calls" in result.stdout
    assert "b/7, with 2 ads more, 1 replaced and 3 removed." in result.stdout
    assert changed["replace"]
    assert changed["remove"] == ["a", "b", "c"]
    assert changed["add"].expires.tolist() == list(range(20))
    assert changed["schema"].ad_id_type == "string"
    assert changed["on"] == "canary"


def test_index_says_where_ads_are_given_still(changed, monkeypatch):
    AdRecord(("x",), ("y",)).save(pathlib.Path("b/6"))
    pathlib.Path("b/taken_down.json").write_text('["x", "y", "z"]')
    monkeypatch.setattr(tf.saved_model, "load", lambda _: None)
    monkeypatch.setattr(loaded_ads, "given", lambda _, ids: ids[:1])
    write_labels("b", {"stable": 6, "canary": 7})
    result = call("index", "b", "--remove", "y", "--on", "stable")
    assert changed["on"] == "stable"
    lines = [line for line in result.stdout.splitlines() if "still" in line]
    assert lines == [
        "Version 6, stable, still gives 1 ads that were taken down, such as "
        "y: `tfadrec index b --on stable --remove ID` takes them from it."
    ]


def test_index_says_which_values_are_odd(changed, tmp_path):
    """Of numbers and of categories; the ads of the dataset have none."""
    ads = pq.read_table(small.world() / "ads.parquet")
    pq.write_table(ads, tmp_path / "same")
    schema = data.open_dataset(small.world()).schema
    (brand, *_) = [f.column for f in schema.of("ad") if f.kind == "category"]
    place = ads.column_names.index(brand)
    odd = ads.set_column(place, brand, pa.array(len(ads) * ["odd one"]))
    pq.write_table(odd, tmp_path / "odd")
    for name, is_told in (("same", False), ("odd", True)):
        add = ("--add", tmp_path / name, "--data", small.world())
        result = call("index", "b", *add)
        assert result.exit_code == 0, result.output
        line = f"20 of 20 values of {brand} no ad of the dataset has, such as"
        assert (line in result.stdout) == is_told
        assert ("such as" in result.stdout) == is_told


def test_index_says_that_nothing_is_to_change(changed, monkeypatch):
    made = AdChanges(pathlib.Path("b/6"), 0, 0, 0, 0, 0)
    monkeypatch.setattr(serving, "change_ads", lambda *_, **__: made)
    pathlib.Path("none.txt").write_text("\n")
    result = call("index", "b", "--remove", "none.txt")
    assert result.exit_code == 0
    assert "No new version, as b/6 is as it would be" in result.stdout
    assert "Bundle:" not in result.stdout


@pytest.mark.parametrize("expire", [True, False])
def test_index_of_ads_that_expire(changed, monkeypatch, tmp_path, expire):
    """By the column of ads.parquet, which needs no name."""
    ads = pq.read_table(small.world() / "ads.parquet")
    monkeypatch.setattr(ad_expiry, "input_names", lambda folder: {"k"})
    if expire:
        names = {"k", "now_seconds"}
        monkeypatch.setattr(ad_expiry, "input_names", lambda folder: names)
        pq.write_table(ads, tmp_path / "old")
        given = ("--add", tmp_path / "old", "--data", small.world())
        result = call("index", "b", *given)
        assert result.exit_code == 2
        assert "'expires_seconds', which" in result.stderr
        assert "never expires its value is null." in result.stderr
    ads = ads.append_column("expires_seconds", pa.array(range(20)))
    pq.write_table(ads, tmp_path / "new")
    given = ("--add", tmp_path / "new", "--data", small.world())
    assert call("index", "b", *given).exit_code == 0
    found = changed["add"].expires
    assert (found is None) != expire
    assert found is None or found.tolist() == list(range(20))


def test_ads_that_stay_as_they_are_are_told(changed):
    """Two of the file's twenty have joined."""
    ads = small.world() / "ads.parquet"
    given = ("index", "b", "--add", ads, "--data", small.world())
    assert (
        "18 of the file's 20 ads are there already and stay as they are: "
        "--replace has" in call(*given).stdout
    )
    assert "already" not in call(*given, "--replace").stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "neither --add nor --remove"),
        (("--add", "x"), "one of --add and --data"),
        (("--remove", "x", "--data", "y"), "one of --add and --data"),
        (("--add", "", "--data", "WORLD"), "a path must name a file"),
        (("--add", "x", "--data", ""), "Received: '', which cannot. Name one."),
    ],
)
def test_index_of_nothing(changed, options, message):
    world = str(small.world())
    options = [option.replace("WORLD", world) for option in options]
    result = call("index", "b", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not changed


def test_a_dataset_without_a_name(run):
    """And not the current folder."""
    result = call("evaluate", run, "--data", "")
    assert result.exit_code == 2
    assert "Received: '', which cannot. Name one." in result.stderr


def test_export_without_the_file(run, tmp_path):
    result = call("export", run, "--catalogue", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "a catalogue is a Parquet file" in result.stderr


@functools.cache
def traced():
    """A service of the run, and its signatures."""
    service = serving.RankingService(small.run().ranker, small.run().dataset)
    return service, service.signatures("recommend")


@pytest.fixture
def one_service(monkeypatch):
    """All calls of a command ask a service that is traced once."""
    service, signatures = traced()
    monkeypatch.setattr(
        serving.RankingService, "signatures", lambda *_: signatures
    )
    monkeypatch.setattr(serving, "RankingService", lambda *_, **__: service)


def test_recommend(one_service):
    user = small.run().dataset.user_ids[3]
    arguments = ["recommend", small.run_folder(), "--user", user, "--json"]
    result = call(*arguments, "-k", 3)
    assert result.exit_code == 0, result.output
    answer = said(result)
    assert answer["user"] == user
    found = answer["recommendations"]
    assert [ad["rank"] for ad in found] == [1, 2, 3]
    assert found[0]["title"] in result.stdout
    best = found[0]["ad_id"]
    rest = said(call(*arguments, "--exclude", best, "-k", 2))
    assert [ad["ad_id"] for ad in rest["recommendations"]] == [
        ad["ad_id"] for ad in found[1:]
    ]
    # Twenty ads, of which the history holds some.
    request = serving.request_for_user(small.run().dataset, user)
    seen = len(set(request["history_ads"][0]))
    assert seen > 0
    lengths = [
        len(said(call(*arguments, "-k", 99, option))["recommendations"])
        for option in ("--seen", "--no-seen")
    ]
    assert lengths == [20, 20 - seen]


def test_recommend_to_a_new_user(one_service):
    result = call("recommend", small.run_folder(), "--user", "?", "--json")
    assert len(said(result)["recommendations"]) == 10
    assert "No user ? in the dataset" in result.stdout


def test_recommend_says_what_it_does_not_know(one_service):
    user = small.run().dataset.user_ids[3]
    known = small.run().dataset.catalogue.ad_ids[0]
    result = call(
        *("recommend", small.run_folder(), "--user", user),
        *("--exclude", known, "--exclude", "none", "--exclude", "nil"),
    )
    lines = result.stdout.splitlines()
    assert lines[0].startswith("No ad none, nil in the dataset")
    assert len(lines) == 11


def test_a_title_is_no_command_to_a_terminal(one_service, monkeypatch):
    ad = {"rank": 1, "pctr": 0.5, "ad_id": "a\x07", "title": "\x1b[31mé"}
    monkeypatch.setattr(
        serving, "recommend", lambda *_, **__: [{**ad, "tags": "\u202e"}]
    )
    user = small.run().dataset.user_ids[3]
    result = call("recommend", small.run_folder(), "--user", user)
    assert result.stdout == "  1  0.500  a\\x07       \\x1b[31mé (\\u202e)\n"


def test_an_ad_without_tags_has_no_brackets(one_service, monkeypatch):
    ad = {"rank": 1, "pctr": 0.5, "ad_id": "a", "title": "Shoe", "tags": ""}
    monkeypatch.setattr(serving, "recommend", lambda *_, **__: [ad])
    user = small.run().dataset.user_ids[3]
    result = call("recommend", small.run_folder(), "--user", user)
    assert result.stdout == "  1  0.500  a        Shoe\n"


@pytest.mark.parametrize(
    ("tags", "line"),
    [("", "  1  0.500  a\n"), ("x, y", "  1  0.500  a        (x, y)\n")],
)
def test_an_ad_without_a_title_is_its_id(one_service, monkeypatch, tags, line):
    ad = {"rank": 1, "pctr": 0.5, "ad_id": "a", "title": "", "tags": tags}
    monkeypatch.setattr(serving, "recommend", lambda *_, **__: [ad])
    user = small.run().dataset.user_ids[3]
    result = call("recommend", small.run_folder(), "--user", user)
    assert result.stdout == line


@pytest.fixture
def files(tmp_path):
    texts = {
        "broken.yaml": "fit: {epochs: 3",
        "gpt2.yaml": "model: {type: gpt2}",
        "key.yaml": "fits: {epochs: 3}",
        "latin.yaml": "fit: {monitor: \udce9}",
        "setting.yaml": "text: null\nad_tower: {widht: 3}",
        "table.yaml": "ads: {file: a.csv}",
        "good.yaml": "ads: {file: a, ad_id: b}\nimpressions: {file: a, "
        "user_id: b, ad_id: b, timestamp: b, clicked: b}",
        "news.tsv": "",
    }
    for name, text in texts.items():
        raw = text.encode(errors="surrogateescape")
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "empty").mkdir()
    return tmp_path


BAD = [
    ("train --data nowhere --out run", "a dataset is a folder"),
    ("train --data empty --out run", "a dataset is a folder"),
    ("train --data WORLD --config no.yaml --out run", "a config is a YAML"),
    ("train --data WORLD --config broken.yaml --out run", "must be YAML"),
    ("train --data WORLD --config latin.yaml --out run", "must be YAML"),
    ("train --data WORLD --config key.yaml --out run", "Received: 'fits'"),
    ("train --data WORLD --config setting.yaml --out run", ": widht"),
    ("train --data WORLD --out empty/../.", "which also holds"),
    ("pretrain --data nowhere --out run", "a dataset is a folder"),
    ("pretrain --data WORLD --from empty --out run", "must hold config.json"),
    ("pretrain --data WORLD --from nowhere/at/all --out run", "A model must"),
    ("pretrain --data WORLD --config no.yaml --out run", "a config is a YAML"),
    ("pretrain --data WORLD --config key.yaml --out run", "Received: fits"),
    ("pretrain --data WORLD --config gpt2.yaml --out run", "of type bert. Rec"),
    ("evaluate nowhere", "is not there"),
    ("evaluate empty", "has no model.keras"),
    ("evaluate RUN --revenue profit", "labels clicked"),
    ("evaluate RUN --metric auc", "--metric without --must-not-lose"),
    ("evaluate RUN --must-not-lose 0", "--must-not-lose 0.0 with one run"),
    (
        "encode-ads --data nowhere --model MODEL --max-tokens 9 --out o",
        "nowhere",
    ),
    ("encode-ads --data WORLD --model empty --out o", "must hold config.json"),
    ("encode-ads --data WORLD --model MODEL --out o", "Lower `max_tokens`"),
    (
        "encode-ads --data WORLD --model MODEL --max-tokens 9 --kept-layers 7 "
        "--out o",
        "`kept_layers` must be an integer in [1,",
    ),
    (
        "encode-ads --data WORLD --model MODEL --kept-layers 0 --out o",
        "kept_layers",
    ),
    ("export nowhere", "is not there"),
    ("recommend nowhere --user 3", "is not there"),
    ("serve nowhere", "a bundle is a folder of numbered versions"),
    ("serve empty", "a bundle is a folder of numbered versions"),
    ("serve RUN", "a run. Write one with `tfadrec export "),
    ("serve empty --token-file no.txt", "none in no.txt"),
    ("serve empty --token-file news.tsv", "none in news.tsv"),
    ("serve empty --token-file latin.yaml", "none in latin.yaml"),
    ("prepare mind --news no --behaviors no --out out", "no"),
    ("prepare table --config no.yaml --out out", "no.yaml"),
    ("prepare table --config table.yaml --out out", "must name"),
    ("prepare table --config good.yaml --like no --out out", "schema.json"),
    (
        "prepare table --config good.yaml --out out stray",
        "stray without `--runner beam`",
    ),
    ("prepare synthetic --out out --seed -1", "seed=-1"),
    ("prepare synthetic --out .", "Received"),
]


@pytest.mark.parametrize(("line", "message"), BAD, ids=[b[0] for b in BAD])
def test_bad_input_is_one_line_and_2(
    files, model, one_service, monkeypatch, line, message
):
    monkeypatch.chdir(files)
    named = {
        "WORLD": small.world(),
        "RUN": small.run_folder(),
        "MODEL": model,
    }
    arguments = [named.get(word, word) for word in line.split()]
    result = call(*arguments, "--json")
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("tfadrec: ")
    assert message in lines[0]
    assert said(result) == {"error": lines[0].removeprefix("tfadrec: ")}
    without = call(*arguments)
    assert without.exit_code == 2
    assert without.stdout == ""


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "train",
        "train --wrong",
        "encode-ads --data d --out o --dtype int8",
        "prepare",
        "recommend RUN",
        "recommend RUN --user 1 -k many",
        "recommend RUN --user 1 -k 0",
        "recommend RUN --user 1 -k 1e30",
        "recommend RUN --user 1 -k 2147483648",
        "serve",
        "serve a --port 65536",
        "serve a --timeout 0",
        "prepare synthetic --out o --seed x",
        "evaluate a b --must-not-lose nan",
        "evaluate a b --must-not-lose inf",
        "evaluate a b --must-not-lose 0 --metric acu",
    ],
)
def test_a_wrong_call_is_2(line):
    result = call(*line.split())
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("a rule.\n Received: 3."), 2),
        (TfadrecError("a rule.\n Received: 3."), 1),
        (OSError("a rule.\n Received: 3."), 1),
    ],
)
def test_errors_have_codes(error, code):
    @click.command(cls=Command)
    def fail():
        raise error

    result = CliRunner().invoke(fail, ["--json"])
    assert result.exit_code == code
    assert result.stderr == "tfadrec: a rule. Received: 3.\n"
    assert said(result) == {"error": "a rule. Received: 3."}


def test_json_is_asked_for_and_has_no_nan():
    """JSON knows no NaN; null stands for it at any depth."""

    @click.command(cls=Command)
    def answer():
        click.echo("for people")
        return {"a": float("nan"), "b": [{"c": np.nan}, 1.5], "d": "nan"}

    assert CliRunner().invoke(answer).stdout == "for people\n"
    result = CliRunner().invoke(answer, ["--json"])
    assert result.exit_code == 0
    assert said(result) == {"a": None, "b": [{"c": None}, 1.5], "d": "nan"}


def test_a_fault_of_the_program_is_not_hidden():
    @click.command(cls=Command)
    def fail():
        raise ZeroDivisionError

    result = CliRunner().invoke(fail)
    assert isinstance(result.exception, ZeroDivisionError)


def process(*arguments, **environment):
    """A process of its own, without a word on how much TensorFlow may say."""
    variables = {
        k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"
    }
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=variables | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_starts_without_tensorflow():
    code = (
        "import sys, tfadrec.cli\n"
        "heavy = {'tensorflow', 'tf_keras', 'transformers', 'keras'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = process("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("is_there", [False, True])
def test_the_collector_passes_over_an_import_once(monkeypatch, is_there):
    """What a process has made since must not be kept for good."""
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(gc.isenabled()))
    if not is_there:
        monkeypatch.delitem(sys.modules, "tensorflow")
    with _staying():
        assert gc.isenabled() == is_there
    assert gc.isenabled()
    assert len(frozen) == (not is_there)


@pytest.mark.slow
def test_a_real_process_says_nothing_of_tensorflow():
    """Nor does that of `test_encode_ads`."""
    done = process(
        *("-m", "tfadrec", "recommend", small.run_folder()),
        *("--user", "u000003", "-k", "1", "--json"),
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(json.loads(done.stdout.splitlines()[-1])["recommendations"]) == 1


@pytest.mark.slow
def test_a_training_says_nothing_of_tensorflow(tmp_path):
    """Its loops over blocks of events are what graphs have no order for."""
    file = tmp_path / "run.yaml"
    file.write_text(small.YAML)
    done = process(
        *("-m", "tfadrec", "train", "--data", small.world()),
        *("--config", file, "--out", tmp_path / "run"),
    )
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) >= 5
    assert lines[0].startswith("begins with "), lines
    assert all(line.startswith("epoch ") for line in lines[1:]), lines


def test_graphs_of_several_models_are_no_mistake(caplog):
    load_tensorflow()
    log = logging.getLogger("tensorflow")
    log.warning(
        "5 out of the last 5 calls to x triggered tf.function retracing."
    )
    log.warning("something else")
    assert [record.message for record in caplog.records] == ["something else"]
