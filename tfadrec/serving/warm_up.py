"""Requests that a server answers by itself before it takes others."""

import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.data.dataset import Dataset
from tfadrec.serving.ad_reader import AdReader
from tfadrec.serving.examples import to_examples
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.requests import (
    Request,
    candidates,
    new_ads,
    nothing_asked,
    plain_choice,
    replay,
    without_candidates,
    without_features,
)

#: Where TensorFlow Serving looks for them in a version's folder.
FILE = "assets.extra/tf_serving_warmup_requests"
_BATCHES = (1, 32, 256)
_SLATES = (100, 500)
_BEST = 10
_NEW_ADS = (1, 32)


def warm_up_requests(
    dataset: Dataset,
    reader: AdReader,
    filters: Specs | None = None,
    order: Specs | None = None,
    expiry: Specs | None = None,
    *,
    explains: bool = False,
) -> Iterator[tuple[str, Request]]:
    """One request per signature and size, made of the dataset's rows.

    `serving_default` and `serve_examples` get 1, 32 and 256 rows, `score_slate`
    and `recommend_from` one user with 100 and 500 ads, `recommend`,
    `encode_user` and `score_new_ads` one user, the latter with 100 ads of which
    one is new, and `encode_ads` and `encode_ads_text` 1 and 32 ads. Rows and
    ads repeat where there are few.

    Args:
      dataset: with at least one impression.
      reader: of new ads.
      filters: the inputs that filter, where candidates are retrieved. There is
        then a request of `retrieve`, too.
      explains: whether there is `explain`, which gets one row.
      order: the inputs that ads are chosen by, beside their scores.
      expiry: the input that tells the moment, where ads expire.

    Yields:
      A signature's name and its inputs.
    """
    for batch in _BATCHES:
        request = replay(dataset, np.arange(batch) % len(dataset))
        # Half of the users come with their features, as in parity's rows.
        request = without_features(dataset, request, np.arange(batch) % 2 > 0)
        yield "serving_default", request
        yield "serve_examples", {"examples": to_examples(request)}
    if explains:
        yield "explain", replay(dataset, np.array([0]))
    user = without_candidates(dataset.schema, replay(dataset, np.array([0])))
    ads = dataset.catalogue.ad_ids
    slates = {}
    for size in _SLATES:
        slates[size] = candidates(dataset, np.arange(size)[None] % len(dataset))
        slates[size]["candidate_ads"] = ads[np.arange(size)[None] % len(ads)]
    for slate in slates.values():
        yield "score_slate", user | slate
    yield "encode_user", user
    if reader.specs(1):
        for size in _NEW_ADS:
            rows = 1 + np.arange(size) % len(ads)
            for name, as_tokens in (
                ("encode_ads", True),
                ("encode_ads_text", False),
            ):
                if as_tokens or reader.reads_text:
                    columns = reader.raw(
                        dataset.catalogue, rows, as_tokens=as_tokens
                    )
                    yield name, columns
        new = new_ads(dataset, reader, np.array([[1]]))
        slate = slates[_SLATES[0]]
        asked = np.append(new["new_ads"], slate["candidate_ads"][:, 1:], axis=1)
        yield "score_new_ads", {**user, **slate, **new, "candidate_ads": asked}
    choice = plain_choice(dataset, 1, min(_BEST, len(ads)), expiry or {})
    choice["exclude_history"] = np.array([True])
    allowed = nothing_asked(filters or {}, 1)
    plain = nothing_asked(order or {}, 1)
    yield "recommend", {**user, **choice, **allowed, **plain}
    if filters is not None:
        yield "retrieve", {**user, **choice, **allowed}
    for size, slate in slates.items():
        bids = {"bids": np.ones([1, size], np.float32)}
        yield "recommend_from", user | choice | slate | bids | plain


def write_warm_up(
    folder: str | os.PathLike[str],
    name: str,
    signatures: Mapping[str, tf.types.experimental.ConcreteFunction],
    requests: Iterable[tuple[str, Request]],
) -> None:
    """Writes requests as a TFRecord of `PredictionLog`.

    Args:
      folder: of a bundle's version; the file is `FILE` in it.
      name: of the model.
      signatures: those of the bundle, which say what types inputs have.
      requests: those of `warm_up_requests`.
    """
    file = pathlib.Path(folder, FILE)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, request in requests:
            specs = signatures[signature].structured_input_signature[1]
            inputs = {
                key: tf.make_tensor_proto(
                    value.tolist(), specs[key].dtype, value.shape
                ).SerializeToString()
                for key, value in sorted(request.items())
            }
            writer.write(_prediction_log(name, signature, inputs))


def _prediction_log(
    name: str, signature: str, inputs: Mapping[str, bytes]
) -> bytes:
    """A `tensorflow.serving.PredictionLog` in protobuf's wire format.

    Written by hand, as it is all that a bundle would need
    tensorflow-serving-api for. Numbers of fields: prediction_log.proto,
    predict.proto and model.proto of TensorFlow Serving.
    """
    model = _field(1, name.encode()) + _field(3, signature.encode())
    request = _field(1, model)
    for key, tensor in inputs.items():
        request += _field(2, _field(1, key.encode()) + _field(2, tensor))
    predict_log = _field(1, request)
    return _field(6, predict_log)


def _field(number: int, payload: bytes) -> bytes:
    """One length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
