"""Writing a bundle, all of it or nothing, and reading it back."""

import os
import pathlib
import tempfile
from collections.abc import Callable

import numpy as np

from tfadrec.core.bundle_folder import check_bundle_folder, version_numbers
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.text_vectors import TextEncoder, encode_text
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker
from tfadrec.serving.answers import answers
from tfadrec.serving.catalogue_tables import columns_read
from tfadrec.serving.deployment import (
    existing_versions,
    write_deployment,
)
from tfadrec.serving.native_check import check_native
from tfadrec.serving.op_lint import foreign_ops
from tfadrec.serving.parity import bound_of, check_parity
from tfadrec.serving.ranking_service import RankingService
from tfadrec.serving.scores import Scores
from tfadrec.serving.warm_up import warm_up_requests, write_warm_up


def export_bundle(
    ranker: AdRanker,
    dataset: Dataset,
    path: str | pathlib.Path,
    *,
    version: int | None = None,
    tokenizer: Tokenizer | None = None,
    encoder: TextEncoder | None = None,
    catalogue: Catalogue | None = None,
    native: bool = False,
) -> pathlib.Path:
    """Writes `<path>/<version>/`, a SavedModel for TensorFlow Serving.

    With it goes a file of requests that a server warms up with. Beside the
    version stand `models.config`, in which it is the canary, settings for
    batching, monitoring, Docker and Kubernetes, and a README.

    The bundle is written aside, and `check_parity` replays rows of the dataset
    through it and writes `parity.json`. Only then does it take its place by a
    rename, so a server never meets half of it, or one that scores otherwise.

    Args:
      ranker: a built ranker.
      dataset: what it was trained with, or a split of it; the rows to compare
        and to warm up with.
      path: the folder of the model's versions.
      version: a number >= 1; by default one more than the newest there.
      tokenizer: of the encoder.
      encoder: what the catalogue's vector column `text` was made with: it comes
        with the bundle and encodes the copy of new ads. That of the ad tower
        where it has one.
      catalogue: more ads, made with the dataset's schema. Those that the
        dataset has are left as they are known; the others join the bundle's
        catalogue with the unknown id. Their vectors `text` are made here.
      native: whether `check_native` replays the warm-up requests as well,
        through TensorFlow's C library, and writes `native.json`.

    Returns:
      The version's folder.

    Raises:
      InputError: where the version exists or is no number >= 1, or the folder's
        name cannot be a model's, something else is in it, or more ads lack a
        column.
      TfadrecError: where the bundle does not load with TensorFlow alone, or a
        score differs by more than its share of 1e-5, or of 0.02 in half
        precision; see `check_parity`.
    """
    path = pathlib.Path(path)
    check_bundle_folder(path)
    if version is None:
        version = 1 + max(version_numbers(path), default=0)
    folder = path / str(version)
    if version < 1 or folder.exists():
        raise InputError(
            "a version is a number >= 1 that is not there yet. Received: "
            f"version={version} in {path}."
        )
    more = None
    if catalogue is not None:
        known = np.isin(catalogue.ad_ids, dataset.catalogue.ad_ids)
        more = catalogue.take(np.flatnonzero(~known))
        encoder = ranker.ad_tower.text or encoder
        if encoder is not None and tokenizer is not None:
            more = encode_text(more, tokenizer, encoder)
        read = columns_read(ranker.ad_tower)
        missing = [name for name in read if name not in more.columns]
        if missing:
            raise InputError(
                "more ads need the columns that the ranker reads. Received: no "
                f"{', '.join(missing)}. Give them, or the encoder of `text`."
            )
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path, prefix=".export-") as scratch:
        fresh = pathlib.Path(scratch, "fresh")
        service = RankingService(
            ranker,
            dataset,
            tokenizer=tokenizer,
            encoder=encoder,
            more=more,
        )
        signatures = service.signatures()
        tf.saved_model.save(service, fresh, signatures)
        requests = list(warm_up_requests(dataset, service.reader))
        write_warm_up(fresh, path.absolute().name, signatures, requests)
        foreign = foreign_ops(fresh)
        check_parity(ranker, dataset, fresh, service.reader, foreign)
        if native:
            scores = Scores(ranker, dataset.schema.negatives_kept)
            check_native(
                fresh,
                requests,
                answers(service, signatures),
                scores.means,
                bound_of(ranker, ranker.ad_tower.text, service.reader.encoder),
            )
        os.replace(fresh, folder)
    sample = next(
        request for signature, request in requests if signature == "score_slate"
    )
    write_deployment(path, version, signatures, foreign, sample)
    return folder


def open_bundle(
    path: str | pathlib.Path,
) -> dict[str, Callable[..., dict[str, np.ndarray]]]:
    """Reads a bundle's signatures.

    Args:
      path: a version's folder, or the folder of versions, of which the newest
        is read.

    Returns:
      Signature name -> function from its inputs, as NumPy arrays or plain
      values, to its outputs.

    Raises:
      InputError: where there is no bundle.
    """
    path = pathlib.Path(path)
    if not (path / "saved_model.pb").is_file():
        path = path / str(existing_versions(path)[-1])
    loaded = tf.saved_model.load(path)
    return answers(loaded, loaded.signatures)
