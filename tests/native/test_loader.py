"""Bundles by the C++ function that TensorFlow Serving loads them with."""

import subprocess

import pytest

from tests.native import compile
from tests.serving import worlds
from tfadrec.core.door import tf
from tfadrec.native import warm_up_file
from tfadrec.serving import warm_up
from tfadrec.serving.differences import largest
from tfadrec.serving.scores import Scores

List = tf.compat.v1.NameAttrList


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    return compile.loader(tmp_path_factory.mktemp("loader"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "numbers"])
def test_every_signature_answers_in_cpp(name, loader, tmp_path):
    """Every warm-up request, as the exported functions answer it."""
    world = getattr(worlds, name)()
    folder = worlds.bundle(name) / "1"
    asked = list(warm_up_file.requests(folder / warm_up.FILE))
    with tf.io.TFRecordWriter(str(tmp_path / "requests")) as writer:
        for signature, request in asked:
            message = List(name=signature)
            for key, values in request.items():
                dtype = tf.string if values.dtype == object else values.dtype
                proto = tf.make_tensor_proto(
                    values.tolist(), dtype, values.shape
                )
                message.attr[key].tensor.CopyFrom(proto)
            writer.write(message.SerializeToString())
    files = [tmp_path / "requests", tmp_path / "answers"]
    done = subprocess.run(
        list(map(str, [loader, folder, *files])),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    records = tf.data.TFRecordDataset(str(files[1])).as_numpy_iterator()
    answers = [List.FromString(record).attr for record in records]
    assert {signature for signature, _ in asked} == set(world.ask)
    means = Scores(world.ranker, world.dataset.schema.negatives_kept).means
    for (signature, request), answer in zip(asked, answers, strict=True):
        found = {k: tf.make_ndarray(v.tensor) for k, v in answer.items()}
        expected = world.ask[signature](**request)
        assert set(found) == set(expected)
        assert largest(found, expected, means, tie=1e-5) <= 1e-5, signature
