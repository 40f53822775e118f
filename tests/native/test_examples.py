"""The bundles of six examples, by every way in which a bundle is asked."""

import pytest
import yaml

from tests import public_logs
from tests.native import compile
from tests.test_end_to_end import call, make_bert
from tests.test_public_logs import CONFIG, LOGS, shortened
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.native import warm_up_file
from tfadrec.serving import warm_up
from tfadrec.serving.differences import largest
from tfadrec.serving.native_check import replay

BOUND = 1e-5


def prepared(name, folder):
    """The folder of the prepared data of an example."""
    data = folder / "data"
    if name == "synthetic":
        call("prepare", "synthetic", "--out", data, "--seed", 0)
        return data
    text, files = public_logs.example(name)
    for file in files:
        shortened(public_logs.DATA / file, folder / file, LOGS[name])
    (folder / "log.yaml").write_text(text, "utf-8")
    call("prepare", "table", "--config", folder / "log.yaml", "--out", data)
    return data


def exported(name, folder):
    """The folder of the bundle's version."""
    data, config = prepared(name, folder), folder / "run.yaml"
    make_bert(folder / "bert")
    text = {"model": str(folder / "bert"), "max_tokens": 16}
    config.write_text(yaml.safe_dump({**CONFIG, "text": text}))
    run, bundles = folder / "run", folder / "bundles"
    call("train", "--data", data, "--config", config, "--out", run)
    call("export", run, "--out", bundles)
    return bundles / "1"


def in_session(folder, asked):
    """Answers by the session API."""
    answers = []
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        for signature, request in asked:
            definition = meta.signature_def[signature]
            feeds = {definition.inputs[k].name: v for k, v in request.items()}
            names = {k: v.name for k, v in definition.outputs.items()}
            answers.append(session.run(names, feeds))
    return answers


def others(folder, asked, scratch):
    """Other ways and their answers; the last one needs a compiler."""
    yield "session", in_session(folder, asked)
    yield "C", replay(folder, 1, 0.0)[0]
    yield "C++", compile.answers(compile.loader(), folder, asked, scratch)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LOGS, "synthetic"])
def test_every_signature_answers_the_same(name, no_replay, tmp_path):
    """The warm-up requests, in Python and without it."""
    folder = exported(name, tmp_path)
    asked = list(warm_up_file.requests(folder / warm_up.FILE))
    ask = serving.open_bundle(folder)
    assert {signature for signature, _ in asked} == set(ask)
    objects = [ask[signature](**request) for signature, request in asked]
    for way, answers in others(folder, asked, tmp_path):
        for (signature, _), found, expected in zip(
            asked, answers, objects, strict=True
        ):
            assert set(found) == set(expected)
            gap = largest(found, expected, ("logits",), tie=BOUND)
            assert gap <= BOUND, (way, signature)
