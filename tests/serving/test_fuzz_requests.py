"""Bodies and messages that hold anything: an answer, or one line of refusal.

Through all that the preview does with them, with the graph at its end, in this
process: TensorFlow and the bundle are loaded once.
"""

import asyncio
import base64
import gzip
import json
import resource
import time
import types

import hypothesis
import hypothesis.strategies as st
import pytest
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2

from tests.fuzz.mutations import changed_bytes, changed_json
from tests.serving import worlds
from tfadrec.core.door import tf
from tfadrec.serving.preview import json_tensors, rpc
from tfadrec.serving.preview.answerer import Answerer
from tfadrec.serving.preview.body import read_body, unpack
from tfadrec.serving.preview.drift import Drift
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import HTTP_STATUS, RequestError
from tfadrec.serving.preview.servable import Servable

SECONDS = 10
KIB = 2 * 2**20
FEW, MANY = 25, 2500
LIMITS = Limits(body=2**20, items=2**17)


@pytest.fixture(scope="module")
def answerer():
    servable = Servable(worlds.bundle("numbers") / "1")
    model = types.SimpleNamespace(name="numbers", find=lambda *_: servable)
    made = Answerer(model, LIMITS, 1, Drift(model, 200))
    made.servable = servable
    yield made
    made.close()


@pytest.fixture(scope="module")
def bodies(arrays):
    found = []
    for signature, request in arrays.items():
        if signature == "serve_examples":
            continue
        inputs = {k: v[:1].tolist() for k, v in request.items()}
        row = {k: v[0] for k, v in inputs.items()}
        found += [
            {"signature_name": signature, "inputs": inputs},
            {"signature_name": signature, "instances": [row, row]},
        ]
    return found


@pytest.fixture(scope="module")
def messages(arrays):
    found = []
    for signature, request in arrays.items():
        message = predict_pb2.PredictRequest()
        message.model_spec.name = "numbers"
        message.model_spec.signature_name = signature
        for name, values in request.items():
            dtype = tf.string if values.dtype == object else None
            proto = tf.make_tensor_proto(values[:1], dtype)
            message.inputs[name].CopyFrom(proto)
        found.append(message.SerializeToString(deterministic=True))
    return found


def rest(answerer, raw, *, packed):
    """As the handler of REST works on a body."""
    plain = unpack(raw, LIMITS) if packed else raw
    body = read_body(plain, LIMITS)
    outputs = answerer.predict(
        answerer.servable,
        body.signature,
        lambda specs: json_tensors.read_inputs(body, specs, LIMITS),
        time.monotonic() + SECONDS,
    )
    json.loads(json_tensors.write_answer(outputs, body.by_row))


def grpc(answerer, raw):
    """As the handler of gRPC works on a message."""
    try:
        request = predict_pb2.PredictRequest.FromString(raw)
    except DecodeError:  # gRPC's own refusal
        raise RequestError("INTERNAL", "no message") from None
    service = rpc._Predictions(answerer)
    asyncio.run(service._predict(request, time.monotonic()))


def holds(work, counts):
    """Checks that a request is answered or refused, in time and in bounds."""
    begun, refusal = time.process_time(), None
    try:
        work()
    except RequestError as error:
        refusal = error
    assert time.process_time() - begun < SECONDS
    counts["answered" if refusal is None else "refused"] += 1
    if refusal is not None:
        assert refusal.code in HTTP_STATUS
        assert str(refusal).isprintable()
        assert len(str(refusal)) < 500


def many(strategy, work, examples):
    counts = {"answered": 0, "refused": 0}

    @hypothesis.settings(
        max_examples=examples,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def tried(raw):
        holds(lambda: work(raw), counts)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tried()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < KIB
    print(counts)
    return counts


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def examples(request):
    return request.param


def test_bodies_of_json(answerer, bodies, examples):
    counts = many(
        changed_json(bodies),
        lambda raw: rest(answerer, raw, packed=False),
        examples,
    )
    assert min(counts.values()) > 0


@pytest.mark.parametrize("example", [b"\xec\x00", b"no example", b"\xff" * 99])
def test_an_example_that_is_none(answerer, example):
    """The graph's own message quotes it, and may be no text either."""
    value = {"b64": base64.b64encode(example).decode()}
    body = {"signature_name": "serve_examples", "inputs": [value]}
    with pytest.raises(RequestError, match=r"the graph said: .*parse") as error:
        rest(answerer, json.dumps(body).encode(), packed=False)
    assert error.value.code == "INVALID_ARGUMENT"


def test_compressed_bodies(answerer, bodies, examples):
    packed = [gzip.compress(json.dumps(body).encode()) for body in bodies]
    seeds = st.sampled_from(packed) | changed_bytes(packed)
    many(
        seeds, lambda raw: rest(answerer, raw, packed=True), min(examples, 500)
    )


def test_messages(answerer, messages, examples):
    many(changed_bytes(messages), lambda raw: grpc(answerer, raw), examples)


def test_messages_with_any_tensor(answerer, messages, examples):
    """Their fields set to what they may be, but were not meant to be."""
    requests = [predict_pb2.PredictRequest.FromString(m) for m in messages]
    sizes = st.sampled_from([-1, 0, 1, 2, 3, 100, 2**31, 2**62])
    changes = st.tuples(
        st.sampled_from(requests),
        st.integers(0, 100),
        st.sampled_from(
            ["clear", "content", "dtype", "dims", "unknown", "half", "rank"]
        ),
        st.integers(0, 25),
        st.lists(sizes, max_size=4),
        st.binary(max_size=40),
    )

    def change(drawn):
        request, place, kind, dtype, dims, content = drawn
        changed = predict_pb2.PredictRequest()
        changed.CopyFrom(request)
        names = sorted(changed.inputs)
        tensor = changed.inputs[names[place % len(names)]]
        values = [
            getattr(tensor, field)
            for field in ("string_val", "int64_val", "int_val", "float_val")
        ]
        if kind == "clear":
            tensor.tensor_content = b""
            for each in values:
                del each[:]
        elif kind == "content":
            tensor.tensor_content = content
        elif kind == "dtype":
            tensor.dtype = dtype
        elif kind == "unknown":
            tensor.tensor_shape.unknown_rank = True
        elif kind == "half":
            for each in values:
                del each[len(each) // 2 :]
        else:
            del tensor.tensor_shape.dim[:]
            for size in dims[:1] * 5 if kind == "rank" else dims:
                tensor.tensor_shape.dim.add(size=size)
        return changed.SerializeToString()

    many(changes.map(change), lambda raw: grpc(answerer, raw), examples)
