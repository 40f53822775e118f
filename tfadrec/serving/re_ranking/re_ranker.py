"""The best ads of an answer, read beside the user's newest ones."""

import logging
from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.growing import at_rows, growing, put
from tfadrec.core.schema import TEXT_COLUMNS
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.graph_tokenizer import GraphTokenizer, ad_text_in_graph
from tfadrec.data.copy.tokenize import tokenize
from tfadrec.data.copy.tokenizer import ad_texts
from tfadrec.data.dataset import Dataset
from tfadrec.serving import best_ads
from tfadrec.serving.re_ranking.re_ranking import ReRanking
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.scorer import Scorer, Tensors
from tfadrec.serving.untracked import Untracked

_LOG = logging.getLogger(__name__)
#: Ads whose lower layers are computed at a time.
_TEXTS = 256


class ReRanker(tf.Module):
    """Has a cross-encoder read the ads of most worth; core TensorFlow ops only.

    What its lower layers make of an ad's first tokens is in the bundle: a table
    of 4 (in half precision 2) x width x tokens bytes an ad. A request runs the
    upper layers alone, over the newest ads of a user and the best candidates.

    All logits of clicks are on one scale, see `Mixture`: those of ads that were
    read are mixed of both models', and the others the ranker's alone.

    Args:
      settings: the cross-encoder, and how it is mixed in.
      scorer: the ranker and the ads of the bundle.
      dataset: gives schema and catalogue.
      more: ads beside the catalogue's.

    Raises:
      InputError: where the cross-encoder was made with other ads, other copy of
        them or other event types, or another tokenizer.
    """

    def __init__(
        self,
        settings: ReRanking,
        scorer: Scorer,
        dataset: Dataset,
        more: Catalogue | None = None,
    ) -> None:
        super().__init__()
        _check_fits(settings, dataset)
        self._settings = Untracked(settings)
        self._scorer = scorer
        hidden, lengths = _tables(settings, len(dataset.catalogue), more)
        self._hidden, self._lengths = growing(hidden), growing(lengths)
        self._tokens: GraphTokenizer | None = None
        try:
            self._tokens = GraphTokenizer(settings.tokenizer)
        except InputError as error:
            _LOG.warning("No ads can be added to the bundle: %s", error)

    @property
    def top(self) -> int:
        """How many ads of an answer are read."""
        return self._settings.value.top

    @property
    def takes_ads(self) -> bool:
        """Whether it can read the copy of ads that join the bundle."""
        return self._tokens is not None

    def specs(self) -> Specs:
        """The columns of ads that it reads, string [n]."""
        return {n: tf.TensorSpec([None], tf.string, n) for n in TEXT_COLUMNS}

    def put(self, rows: tf.Tensor, columns: Mapping[str, tf.Tensor]) -> None:
        """Sets what is known of ads, which may be new ones.

        Args:
          rows: int32 [n].
          columns: those of `specs`.
        """
        assert self._tokens is not None
        texts = ad_text_in_graph(*(columns[name] for name in TEXT_COLUMNS))
        tokens = self._tokens(texts)
        # An ad without text has no tokens, not even those that frame one.
        mask = tokens["token_mask"] & (texts != "")[:, None]
        tokens = {"token_ids": tokens["token_ids"], "token_mask": mask}
        hidden, mask = self._settings.value.reader.lower_of(tokens)
        put(self._hidden, rows, tf.where(mask[..., None], hidden, 0))
        put(self._lengths, rows, _count(mask))

    def alone(self, logits: Tensors) -> Tensors:
        """Logits of ads that were not read, on the scale of those that were.

        Args:
          logits: of the ranker, corrected, by name; see `Scores.corrected`.
        """
        mixture = self._settings.value.mixture
        return self._scorer.with_clicks(logits, mixture.alone)

    def __call__(
        self,
        request: Mapping[str, tf.Tensor],
        rows: tf.Tensor,
        logits: Tensors,
        worth: tf.Tensor,
    ) -> Tensors:
        """The logits of ads, after the ones of most worth were read.

        Args:
          request: user and history, raw.
          rows: int32 [B, C] of the catalogue.
          logits: of these ads, float32 [B, C] by name, as from `alone`.
          worth: float32 [B, C], -inf where an ad is not to be given.

        Returns:
          The same logits, but of the ads that were read those of a click are
          mixed, and those of conversions worked out again from them.
        """
        count = tf.minimum(self.top, tf.shape(rows)[1])
        batch = tf.shape(rows)[0]
        places, is_there = best_ads.best(worth, tf.fill([batch], count))
        best = tf.gather(rows, places, batch_dims=1)
        read = self._read(request, tf.where(is_there, best, 0))
        mixture = self._settings.value.mixture

        def mixed(alone):
            known = tf.gather(alone, places, batch_dims=1)
            both = mixture.mixed(known, read)
            return best_ads.put_at(alone, places, both, is_there)

        return self._scorer.with_clicks(logits, mixed)

    def _read(self, request, rows):
        """The cross-encoder's logits of ads [B, n]."""
        inputs, ids = self._scorer.requests.read_user(request)
        inputs = inputs | {"history_ads": self._scorer.ads.rows(ids)}
        return self._settings.value.reader.logits(inputs, rows, self._lower)

    def _lower(self, rows, most):
        hidden = at_rows(self._hidden, rows)[:, :most]
        return hidden, tf.sequence_mask(at_rows(self._lengths, rows), most)


def _check_fits(settings: ReRanking, dataset: Dataset) -> None:
    """Refuses a cross-encoder that was made with something else."""
    reader, tokenizer = settings.reader, settings.tokenizer
    encoder = reader.encoder
    tokenizer.check_fits(encoder.vocabulary_size, encoder.max_tokens)
    known, there = reader.num_event_types - 1, len(dataset.schema.event_types)
    if known != there:
        raise InputError(
            "a ranker and its re-ranker are made with the same dataset. "
            f"Received: one of {known} event types, and a dataset of {there}. "
            "Train one of them again."
        )
    tokenized = tokenize(dataset.catalogue, tokenizer)
    if not reader.reads(tokenized.tables()):
        raise InputError(
            "a re-ranker reads the ad copy that it was trained with. Received: "
            "a catalogue whose copy, or a tokenizer whose tokens, are others. "
            "Give the dataset of its run and its own tokenizer, or train it "
            "again."
        )


def _tables(
    settings: ReRanking, num_ads: int, more: Catalogue | None
) -> tuple[np.ndarray, np.ndarray]:
    """What the lower layers make of all ads by row, and their tokens.

    Returns:
      [N + 1 + M, tokens, D] of the compute dtype, and int32 [N + 1 + M].
    """
    reader, tokenizer = settings.reader, settings.tokenizer
    total = 1 + num_ads + len(more or ())
    dtype = tf.as_dtype(reader.encoder.compute_dtype).as_numpy_dtype
    shape = (total, reader.num_tokens, reader.encoder.width)
    hidden, lengths = np.zeros(shape, dtype), np.zeros(total, np.int32)
    own = tf.function(reader.lower, autograph=False, reduce_retracing=True)
    others = tf.function(
        reader.lower_of, autograph=False, reduce_retracing=True
    )

    def keep(start, found, mask):
        place = slice(start, start + len(mask))
        hidden[place] = np.where(mask[..., None], found, 0)
        lengths[place] = _count(mask)

    for start in range(0, 1 + num_ads, _TEXTS):
        keep(start, *own(tf.range(start, min(start + _TEXTS, 1 + num_ads))))
    texts = [] if more is None else ad_texts(more)
    for start in range(0, len(texts), _TEXTS):
        some = texts[start : start + _TEXTS]
        tokens = tokenizer(some)
        tokens["token_mask"] &= np.array([t != "" for t in some])[:, None]
        keep(1 + num_ads + start, *others(tokens))
    return hidden, lengths


def _count(mask: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
