"""Whether a bundle scores as the ranker that it was made of."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadrec.calibration import Calibration
from tfadrec.core.door import tf
from tfadrec.core.errors import TfadrecError
from tfadrec.data.copy.text_vectors import TextEncoder
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRetriever
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.serving import retrieval_parity
from tfadrec.serving.ad_reader import AdReader
from tfadrec.serving.ad_record import Ids
from tfadrec.serving.differences import largest
from tfadrec.serving.merging import mergeable, merged
from tfadrec.serving.re_ranking import ReRanking, replayed
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.requests import (
    Request,
    as_slates,
    candidate_inputs,
    new_ads,
    replay,
    without_features,
)
from tfadrec.serving.scores import Scores

#: The largest difference between a served and a trained score; see
#: `differences.largest`.
PARITY = 1e-5
#: The same in half precision, and in TF32, by which GPUs multiply float32:
#: results then depend on the size of the batch, by which the kernel of a
#: product is chosen.
HALF_PARITY = 0.02
#: The file of a version that has what was compared.
COMPARED = "parity.json"
#: How often a request of one size is timed for the report: a hundred calls are
#: the fewest of which the 99th percentile leaves one out.
LATENCY_CALLS = 100
#: After so many seconds a size is timed no more, however few calls it had: an
#: export of a slow ranker must not wait for its statistics.
LATENCY_SECONDS = 10.0
_ROWS = 256
_NEW_ROWS = 32
_SCRIPT = pathlib.Path(__file__).with_name("replay_bundle.py")


def check_parity(
    ranker: Ranker,
    dataset: Dataset,
    folder: pathlib.Path,
    reader: AdReader,
    specs: Mapping[str, Specs],
    foreign: Mapping[str, str],
    calibration: Calibration | None = None,
    *,
    retriever: AdRetriever | None = None,
    filters: Specs | None = None,
    choice: Specs | None = None,
    re_ranking: ReRanking | None = None,
    removed: Ids = (),
) -> None:
    """Replays rows of the dataset through a bundle, in a process of its own.

    That process imports TensorFlow alone. It answers by the object API and by
    the session API, and by each also what a server makes of requests that it
    merges; see `merging.merged`. `parity.json` in the bundle's folder says how
    far the scores are from the ranker's at most, and how long requests took.

    Some of the rows are replayed with their ad as a new one as well: against
    the ranker with the ad's columns, text vector included, and the unknown id.
    And with a re-ranker some are as lists of their ad in `recommend_from`:
    against the mixed logits of ranker and cross-encoder.

    Args:
      ranker: what the bundle was made of.
      dataset: with at least one impression.
      folder: of the bundle's version.
      reader: of new ads, the bundle's.
      specs: the bundle's signatures, and the inputs of each.
      foreign: the ops that core TensorFlow does not have, for the report.
      calibration: of the ranker's logits.
      retriever: whose inner products the answers of `retrieve` must have.
      filters: the inputs that filter, and of expiry.
      choice: the inputs by which `recommend_from` chooses: of the order, and of
        expiry.
      re_ranking: what the best ads of lists are read with once more.
      removed: ids of ads that `retrieve` must not answer.

    Raises:
      TfadrecError: where the bundle cannot be loaded or answers otherwise.
    """
    rows = np.unique(np.linspace(0, len(dataset) - 1, _ROWS).astype(np.int64))
    # Every second user comes with an id alone.
    request = replay(dataset, rows)
    request = without_features(dataset, request, np.arange(len(rows)) % 2 > 0)
    sets = {"serving_default": request}
    scores = Scores(ranker, dataset.schema.negatives_kept, calibration)

    def corrected(rows, logits):
        codes = None
        if calibration is not None:
            codes = calibration.codes_of(dataset.select(rows))
        # A slate of one ad is [n, 1].
        if codes is not None and logits["clicked"].shape.rank == 2:
            codes = codes[:, None]
        return scores.corrected(logits, codes)

    own = ranker(_inputs(dataset, rows))
    trained = {"serving_default": scores.answer(corrected(rows, own))}
    some = rows[dataset.impressions.ads[rows] > 0][:_NEW_ROWS]
    if reader.specs(1) and len(some):
        sets["score_new_ads"] = _as_new(dataset, reader, some)
        as_new = _rank_as_new(ranker, dataset, some)
        trained["score_new_ads"] = scores.answer(corrected(some, as_new))
    if re_ranking is not None and len(some):
        sets["recommend_from"] = replayed.ask(dataset, some, choice or {})
        inputs = _inputs(dataset, some)
        trained["recommend_from"] = replayed.expected(
            re_ranking, scores, inputs, corrected(some, ranker(inputs))
        )
    if retriever is not None:
        sets["retrieve"] = retrieval_parity.ask(dataset, request, filters or {})
        retrieved = retrieval_parity.RetrievalParity(
            retriever, dataset, rows, removed
        )
    cases = {(name, "plain"): request for name, request in sets.items()} | {
        (name, "merged"): merged(mergeable(request, name, specs), specs[name])
        for name, request in sets.items()
    }
    answers, latency = _replay(folder, cases)
    differences = {}
    for (signature, api, case), answered in answers.items():
        plain = answers[signature, api, "plain"]
        # Of merged requests a server reads more columns than each one asks.
        answered = {
            name: values[tuple(map(slice, plain[name].shape))]
            for name, values in answered.items()
        }
        differences[f"{signature}, {api}, {case}"] = (
            retrieved.difference(answered)
            if signature == "retrieve"
            else _difference(answered, scores, trained[signature])
        )
    # The column `text` of known ads was encoded once; a tower encodes anew.
    known = bound_of(ranker, ranker.ad_tower.text)
    anew = max(known, bound_of(reader.encoder), bound_of_texts(ranker))
    bounds = {
        "serving_default": known if ranker.ad_tower.text is None else anew,
        "score_new_ads": anew,
        "retrieve": bound_of(retriever),
        "recommend_from": max(
            anew, bound_of(None if re_ranking is None else re_ranking.encoder)
        ),
    }
    for case, difference in differences.items():
        bound = bounds[case.partition(",")[0]]
        if not difference <= bound:
            raise TfadrecError(
                f"a bundle must score as the ranker does, within {bound}. "
                f"Received: a difference of {difference:.2g} on {len(rows)} "
                f"rows ({case}). Nothing was exported; report this with the "
                "ranker's settings."
            )
    report = {
        "rows": len(rows),
        "bound": max(bounds[signature] for signature in sets),
        "differences": differences,
        "latency_ms": latency,
        "tensorflow": tf.__version__,
        "ops_outside_core": dict(foreign),
    }
    if retriever is not None:
        report["retrieve_overlap"] = retrieved.overlap
    (folder / COMPARED).write_text(json.dumps(report, indent=2) + "\n")


def bound_of(*layers: Ranker | AdRetriever | TextEncoder | None) -> float:
    """How far scores may differ that depend on what some layers make."""
    is_exact = not _has_tf32() and all(
        layer is None or layer.compute_dtype == "float32" for layer in layers
    )
    return PARITY if is_exact else HALF_PARITY


def _has_tf32():
    return bool(
        tf.config.list_physical_devices("GPU")
        and tf.config.experimental.tensor_float_32_execution_enabled()
    )


def bound_of_texts(ranker: Ranker) -> float:
    """The same where copy is encoded in a batch of other texts.

    A language model's vectors differ then in their last digits, which a
    `TextSpace` makes larger where the vectors all point one way.
    """
    space = ranker.ad_tower.text_space
    if space is None:
        return PARITY
    return min(PARITY * space.magnification(), HALF_PARITY)


def _as_new(dataset: Dataset, reader: AdReader, rows: np.ndarray) -> Request:
    """Each of the rows with its ad as a new one, a slate of one."""
    request = as_slates(dataset.schema, replay(dataset, rows))
    new = new_ads(dataset, reader, dataset.impressions.ads[rows][:, None])
    return {**request, **new, "candidate_ads": new["new_ads"]}


def _inputs(dataset: Dataset, rows: np.ndarray) -> dict[str, tf.Tensor]:
    inputs, *_ = next(iter(dataset.select(rows).batches(len(rows))))
    return inputs


def _rank_as_new(
    ranker: Ranker, dataset: Dataset, rows: np.ndarray
) -> dict[str, tf.Tensor]:
    """Logits of the rows, had their ads no id of their own."""
    tower = ranker.ad_tower
    own_inputs = candidate_inputs(dataset.schema)
    inputs = {
        name: values[:, None] if name in own_inputs else values
        for name, values in _inputs(dataset, rows).items()
    }
    columns = tower.columns(inputs["candidate_ads"])
    unknown = tower.columns(0 * inputs["candidate_ads"])
    own = {name: unknown[name] for name in tower.of_id}
    history = tower(inputs["history_ads"])
    return ranker.rank(inputs, history, tower.encode_columns(columns | own))


def _replay(
    folder: pathlib.Path, cases: Mapping[tuple[str, str], Request]
) -> tuple[dict[tuple[str, str, str], dict[str, np.ndarray]], Any]:
    """Answers by signature, API and case, and latencies, from a process."""
    with tempfile.TemporaryDirectory() as scratch:
        requests = pathlib.Path(scratch, "requests.npz")
        found = pathlib.Path(scratch, "answers.npz")
        # Strings are kept as such: an array of objects would be a pickle. A
        # mark at their end keeps what NumPy would cut, NUL.
        plain = {
            f"{signature}/{case}/{name}": (values + ".").astype(str)
            if values.dtype == object
            else values
            for (signature, case), request in cases.items()
            for name, values in request.items()
        }
        np.savez(requests, allow_pickle=False, **plain)
        # On the CPU, as this process may hold all of a GPU's memory.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        environment.pop("TF_USE_LEGACY_KERAS", None)
        command = [
            *(sys.executable, "-I", _SCRIPT, folder, requests, found),
            *(LATENCY_CALLS, LATENCY_SECONDS),
        ]
        done = subprocess.run(
            list(map(str, command)),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise TfadrecError(
                "a bundle must answer where only TensorFlow is installed. "
                f"Received: {reason} Nothing was exported; report this with "
                "the ranker's settings."
            )
        answers: dict[tuple[str, str, str], dict[str, np.ndarray]] = {}
        with np.load(found) as file:
            for key, values in file.items():
                *told, name = key.split("/")
                answers.setdefault(tuple(told), {})[name] = values
    return answers, json.loads(done.stdout.splitlines()[-1])


def _difference(
    served: Mapping[str, np.ndarray],
    scores: Scores,
    answer: Mapping[str, tf.Tensor],
) -> float:
    """How far answers are from the ranker's at most; see `PARITY`."""
    trained = {name: values.numpy() for name, values in answer.items()}
    return largest(served, trained, scores.means)
