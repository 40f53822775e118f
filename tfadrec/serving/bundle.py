"""Writing a bundle, all of it or nothing, and reading it back."""

import logging
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfadrec.calibration import Calibration
from tfadrec.core.bundle_folder import (
    bundle_folder,
    check_bundle_folder,
    version_folder,
    version_numbers,
    version_path,
)
from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.core.takes import takes
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.text_vectors import TextEncoder, encode_text
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRetriever
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.serving.ad_order import OrderSettings
from tfadrec.serving.ad_record import AdRecord, Ids, distinct, some
from tfadrec.serving.answer import Answer
from tfadrec.serving.answers import answers
from tfadrec.serving.catalogue_tables import columns_read
from tfadrec.serving.cost_of_explaining import write_cost
from tfadrec.serving.deployment import (
    check_deployment,
    read_labels,
    write_deployment,
)
from tfadrec.serving.learned_rows import write_learned
from tfadrec.serving.native_check import check_native
from tfadrec.serving.op_lint import foreign_ops
from tfadrec.serving.parity import bound_of, check_parity
from tfadrec.serving.ranking_service import Explainer, RankingService
from tfadrec.serving.re_ranking import ReRanking
from tfadrec.serving.recommender import CANDIDATES
from tfadrec.serving.sample_requests import sample_requests
from tfadrec.serving.scores import Scores
from tfadrec.serving.taken_down import taken_down, write_taken_down
from tfadrec.serving.warm_up import warm_up_requests, write_warm_up
from tfadrec.serving.watched_rows import write_profile
from tfadrec.serving.write_model import write_model

_LOG = logging.getLogger(__name__)


@takes(
    ranker="ranker",
    dataset="dataset",
    tokenizer="tokenizer",
    encoder="encoder",
    catalogue="catalogue",
    calibration="calibration",
    rates="dataset",
    train="dataset",
    valid="dataset",
    retriever="retriever",
    anchors="dataset",
)
def export_bundle(
    ranker: Ranker,
    dataset: Dataset,
    path: str | pathlib.Path,
    *,
    version: int | None = None,
    tokenizer: Tokenizer | None = None,
    encoder: TextEncoder | None = None,
    catalogue: Catalogue | None = None,
    calibration: Calibration | None = None,
    rates: Dataset | None = None,
    native: bool = False,
    train: Dataset | None = None,
    valid: Dataset | None = None,
    retriever: AdRetriever | None = None,
    distilled: bool = False,
    candidates: int = CANDIDATES,
    filters: Sequence[str] = (),
    explainer: Explainer | None = None,
    order: OrderSettings | None = None,
    anchors: Dataset | None = None,
    codes: int | None = None,
    re_ranking: ReRanking | None = None,
    restore: Sequence[str | int] = (),
) -> pathlib.Path:
    """Writes `<path>/<version>/`, a SavedModel for TensorFlow Serving.

    With it goes a file of requests that a server warms up with. Beside the
    version stand `models.config`, in which it is the canary, settings for
    batching, monitoring, Docker and Kubernetes, and a README.

    The bundle is written aside, and `check_parity` replays rows of the dataset
    through it and writes `parity.json`. Only then does it take its place by a
    rename, so a server never meets half of it, or one that scores otherwise. A
    `manifest.json` in it has the SHA-256 of each file, which `open_bundle` and
    the preview check. Equal exports are equal byte by byte, but for the times
    in `parity.json` and `native.json`, and their sums in the manifest.

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
      calibration: of the ranker's logits.
      rates: another dataset, prepared with `--like` this one, as of whose end
        rates and counts are.
      native: whether `check_native` replays the warm-up requests as well,
        through TensorFlow's C library, and writes `native.json`.
      train: the rows that the ranker has learned from; with them the bundle
        tells what requests should look like, for `tfadrec monitor`, and of
        which time the newest is, for `promote`.
      valid: rows that it has not learned from, whose scores are kept with that;
        `dataset` by default.
      retriever: see `RankingService`.
      distilled: see there.
      candidates: see `RankingService`.
      filters: see `RankingService`.
      explainer: see `RankingService`; what it costs is written to
        `explain.json`.
      order: see `RankingService`.
      anchors: see `RankingService`.
      codes: see `RankingService`.
      re_ranking: see `RankingService`.
      restore: ids of ads that `change_ads` had removed from the versions there,
        and that are given again. The others stay removed.

    Returns:
      The version's folder.

    Raises:
      InputError: where the ranker gives no click probabilities, an argument is
        something else, the version exists or is no number >= 1, or the folder's
        name cannot be a model's, something else is in it, another export is at
        work there, more ads lack a column, or an ad to restore was not
        removed.
      TfadrecError: where the bundle does not load with TensorFlow alone, or a
        score differs by more than its share of 1e-5, or of 0.02 in half
        precision; see `check_parity`.
    """
    scores = Scores(ranker, dataset.schema.negatives_kept, calibration)
    if not scores.are_probabilities:
        _LOG.warning(
            "The bundle's pctr orders ads and is no probability: of the loss "
            "%s only the order within a request counts. `tfadrec calibrate` "
            "makes it one, or a loss with `binary` in it.",
            ranker.task_losses["clicked"].name,
        )
    if order is not None:
        order.check(dataset.schema)
    folder = bundle_folder(path)
    check_bundle_folder(folder.path)
    with folder.held():
        check_deployment(folder.path)
        if version is None:
            version = 1 + max(version_numbers(folder.path), default=0)
        if version < 1 or (folder.path / str(version)).exists():
            raise InputError(
                "a version is a number >= 1 that is not there yet. Received: "
                f"version={version} in {path}."
            )
        _export(
            *(folder, version, ranker, dataset, tokenizer, encoder),
            *(catalogue, calibration, rates, native, train, valid),
            retriever=retriever,
            distilled=distilled,
            candidates=candidates,
            filters=filters,
            order=order,
            anchors=anchors,
            codes=codes,
            explainer=explainer,
            re_ranking=re_ranking,
            removed=_standing(folder.path, dataset.schema, restore),
        )
    return pathlib.Path(path, str(version))


def _standing(
    bundle: pathlib.Path, schema: Schema, restore: Sequence[str | int]
) -> Ids:
    """The ads that stay removed from a bundle, whatever a run has."""
    removed = taken_down(bundle, schema.ad_id_type)
    back = tuple(map(schema.ad_id, restore))
    unknown = distinct(back, {*removed})
    if unknown:
        raise InputError(
            "ads to restore are such that `tfadrec index --remove` took down "
            f"from {bundle}: {some(removed) or 'none'}. Received: "
            f"{some(unknown)}."
        )
    return distinct(removed, {*back})


def _export(
    bundle: WorkFolder,
    version: int,
    ranker: Ranker,
    dataset: Dataset,
    tokenizer: Tokenizer | None,
    encoder: TextEncoder | None,
    catalogue: Catalogue | None,
    calibration: Calibration | None,
    rates: Dataset | None,
    native: bool,
    train: Dataset | None,
    valid: Dataset | None,
    *,
    retriever: AdRetriever | None,
    explainer: Explainer | None,
    re_ranking: ReRanking | None,
    removed: Ids,
    **settings: Any,
) -> None:
    """See `export_bundle`; its folder is held. The rest is the service's."""
    path = bundle.path
    more = None
    if catalogue is not None:
        known = np.isin(catalogue.ad_ids, dataset.catalogue.ad_ids)
        more = catalogue.take(np.flatnonzero(~known))
        encoder = ranker.ad_tower.text or encoder
        if encoder is not None and tokenizer is not None:
            more = encode_text(more, tokenizer, encoder)
        towers = [m.ad_tower for m in (ranker, retriever) if m is not None]
        read = sorted({name for t in towers for name in columns_read(t)})
        missing = [name for name in read if name not in more.columns]
        if missing:
            raise InputError(
                "more ads need the columns that the models read. Received: no "
                f"{', '.join(missing)}. Give them, or the encoder of `text`."
            )
    with version_folder(path, version).replacing() as fresh:
        _LOG.info("Encoding ads")
        service = RankingService(
            ranker,
            dataset,
            tokenizer=tokenizer,
            encoder=encoder,
            more=more,
            calibration=calibration,
            rates=rates,
            retriever=retriever,
            explainer=explainer,
            re_ranking=re_ranking,
            **settings,
        )
        service.remove(removed)
        AdRecord(removed).save(fresh)
        _LOG.info("Tracing and writing the signatures")
        signatures = service.signatures()
        write_model(service, fresh, signatures)
        inputs = {
            name: signature.structured_input_signature[1]
            for name, signature in signatures.items()
        }
        specs = service.finder and service.finder.specs()
        requests = list(
            warm_up_requests(
                *(dataset, service.reader, specs, service.order.specs()),
                service.expiry_specs,
                explains=explainer is not None,
            )
        )
        with as_os_errors():
            write_warm_up(fresh, path.name, signatures, requests)
        _LOG.info("Replaying rows in other processes")
        foreign = foreign_ops(fresh)
        check_parity(
            *(ranker, dataset, fresh, service.reader, inputs, foreign),
            calibration,
            retriever=retriever,
            filters=(specs or {}) | service.expiry_specs,
            choice=service.order.specs() | service.expiry_specs,
            re_ranking=re_ranking,
            removed=removed,
        )
        if train is not None and len(train):
            write_profile(
                *(fresh, ranker, train),
                dataset if valid is None else valid,
                calibration=calibration,
                more=more,
            )
            parts = [part for part in (train, valid) if part is not None]
            until = None if calibration is None else calibration.until
            write_learned(fresh, *parts, until=until)
        if explainer is not None:
            write_cost(fresh, dataset, answers(service, signatures)["explain"])
        if native:
            _LOG.info("Replaying requests in TensorFlow's C library")
            scores = Scores(ranker, dataset.schema.negatives_kept, calibration)
            check_native(
                fresh,
                requests,
                answers(service, signatures),
                (*scores.means, "scores"),
                bound_of(
                    *(ranker, ranker.ad_tower.text, service.reader.encoder),
                    retriever,
                    None if re_ranking is None else re_ranking.encoder,
                ),
            )
    _tell_of_changes(
        *(path, version, removed, dataset.catalogue),
        *(() if more is None else (more,)),
    )
    samples = sample_requests(requests, inputs, dataset)
    write_deployment(bundle, version, signatures, foreign, samples)
    # Last, so that what is to be restored is down until it has been.
    write_taken_down(bundle, removed)


def _tell_of_changes(
    bundle: pathlib.Path, version: int, removed: Ids, *catalogues: Catalogue
) -> None:
    """Tells of ads that were changed in the versions before an export.

    Args:
      bundle: the folder of versions.
      version: the new one.
      removed: ids of ads that it leaves out.
      *catalogues: the ads of the run, and more ads.
    """
    canary = read_labels(bundle).get("canary")
    before = AdRecord()
    if canary is not None:
        before = AdRecord.load(bundle / str(canary))
    named = {*removed, *before.added, *before.replaced}
    if not named:
        return
    known = {i for ads in catalogues for i in ads.ad_ids.tolist() if i in named}
    closed = tuple(i for i in removed if i in known)
    if closed:
        _LOG.warning(
            "%d ads that `tfadrec index --remove` took down are left out of "
            "version %d too, such as %s: --restore gives ads again.",
            *(len(closed), version, some(closed)),
        )
    other = tuple(i for i in before.added if i not in known)
    other += tuple(i for i in before.replaced if i in known)
    if other:
        _LOG.warning(
            "%d ads are not as `tfadrec index` put them into version %d: "
            "version %d lacks them, or has them as the run's dataset, such as "
            "%s. Put them there again, or into the dataset.",
            *(len(other), canary, version, some(other)),
        )


def open_bundle(
    path: str | pathlib.Path,
) -> dict[str, Answer]:
    """Reads a bundle's signatures.

    Args:
      path: a version's folder, or the folder of versions, of which the newest
        is read.

    Returns:
      Signature name -> function from its inputs, as NumPy arrays or plain
      values, to its outputs.

    Raises:
      InputError: where there is no bundle, or a file is not as it was exported.
    """
    path = version_path(path)
    loaded = tf.saved_model.load(path)
    return answers(loaded, loaded.signatures)
