"""Where a request is answered: raw ids in, probabilities out."""

from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.schema import Feature
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.text_vectors import TextEncoder
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker
from tfadrec.models.ad_ranker import CONVERTED_IF_CLICKED
from tfadrec.serving.ad_reader import NEW, AdReader, vector_sizes
from tfadrec.serving.lookups import lookup, standardised
from tfadrec.serving.untracked import Untracked

#: What a scored ad is answered with -> what the ranker calls it.
PROBABILITIES = {
    "pctr": "clicked",
    "pcvr": CONVERTED_IF_CLICKED,
    "pctcvr": "converted",
}
# Candidates that `recommend` scores at a time: bounds its memory.
_CHUNK = 1024
# Ads that are encoded at a time, and those whose text is read as well.
_ROWS, _TEXTS = 65536, 1024


class RankingService(tf.Module):
    """The signatures of a bundle, built from the schema.

    Ads are encoded once, when the service is made: a request only gathers their
    vectors. Only ads that the catalogue does not have are encoded in the
    request, from the columns that it gives. All look-ups are core TensorFlow
    ops.

    A request is the data contract's dict with raw values: ids of the dataset's
    types, event types and categories as strings, numerics in their own units,
    ages in seconds. Histories come oldest first; of a longer one the newest T
    events are read. What is unknown has an answer: an unknown user is the
    average user, an unknown ad (in a history or as a candidate) has no text and
    no features, an unknown event type or category is like a missing one.

    Args:
      ranker: a built ranker.
      dataset: gives schema, catalogue, users and T; its rows are not read.
      tokenizer: see `AdReader`.
      encoder: see `AdReader`.
      more: ads beside the catalogue's, encoded by their columns with the
        unknown id.

    Attributes:
      reader: of new ads.

    Raises:
      InputError: where the ranker has no task `clicked`, or the encoder does
        not fit it.
    """

    def __init__(
        self,
        ranker: AdRanker,
        dataset: Dataset,
        *,
        tokenizer: Tokenizer | None = None,
        encoder: TextEncoder | None = None,
        more: Catalogue | None = None,
    ) -> None:
        super().__init__()
        if "clicked" not in ranker.tasks:
            raise InputError(
                "a bundle answers with click probabilities. Received: a ranker "
                f"of {', '.join(ranker.tasks)}. Train one with the task "
                "clicked."
            )
        schema = dataset.schema
        self._ranker = Untracked(ranker)
        self._ordered = next(
            task for task in ("converted", "clicked") if task in ranker.tasks
        )
        self._length = dataset.history_length
        self._context = {f.name: f for f in schema.context}
        id_types = {"string": tf.string, "int64": tf.int64}
        self._user_type = id_types[schema.user_id_type]
        self._ad_type = id_types[schema.ad_id_type]
        self._users = lookup(dataset.user_ids, self._user_type)
        self._events = lookup(schema.event_types, tf.string)
        self._vocabularies = {
            f.name: lookup(f.vocabulary, tf.string)
            for f in schema.context
            if f.kind == "categorical"
        }
        self.reader = AdReader(ranker, schema.ad_features, tokenizer, encoder)
        ids = [dataset.catalogue.ad_ids, *([more.ad_ids] if more else [])]
        self._ads = lookup(np.concatenate(ids), self._ad_type)
        nothing = np.array(["" if schema.ad_id_type == "string" else -1])
        self._ad_ids = tf.Variable(
            tf.constant(
                np.concatenate([nothing.astype(ids[0].dtype), *ids]).tolist(),
                self._ad_type,
            ),
            trainable=False,
        )
        tables = _encode_catalogue(ranker, more)
        # One after the other: a large catalogue is not held twice.
        self._encoded = {
            name: tf.Variable(tables.pop(name), trainable=False)
            for name in list(tables)
        }
        self._weights: list[tf.Variable] = []

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The bundle's signatures by name, with their input specs."""
        user = self._user_specs()
        ids = tf.TensorSpec([None], self._ad_type, "candidate_ads")
        slates = tf.TensorSpec([None, None], self._ad_type, "candidate_ads")
        # One per row, scalars too: a server merges requests along this axis.
        choice = {
            "exclude_ads": tf.TensorSpec(
                [None, None], self._ad_type, "exclude_ads"
            ),
            "exclude_history": tf.TensorSpec(
                [None], tf.bool, "exclude_history"
            ),
            "k": tf.TensorSpec([None], tf.int32, "k"),
        }
        specs = {
            "serving_default": (self.score, user | {"candidate_ads": ids}),
            "score_slate": (
                self.score_slate,
                user | {"candidate_ads": slates},
            ),
            "serve_examples": (
                self.serve_examples,
                {"examples": tf.TensorSpec([None], tf.string, "examples")},
            ),
            "recommend": (self.recommend, user | choice),
            "recommend_from": (
                self.recommend_from,
                user
                | choice
                | {
                    "candidate_ads": slates,
                    "bids": tf.TensorSpec([None, None], tf.float32, "bids"),
                },
            ),
            "encode_user": (self.encode_user, user),
        }
        if self.reader.specs(1):
            new = {
                "new_ads": tf.TensorSpec([None, None], self._ad_type, "new_ads")
            }
            specs["encode_ads"] = (
                self.encode_ads,
                self.reader.specs(1, as_tokens=True),
            )
            specs["score_new_ads"] = (
                self.score_new_ads,
                user
                | {"candidate_ads": slates}
                | new
                | self.reader.specs(
                    2, as_tokens=not self.reader.reads_text, prefix=NEW
                ),
            )
        if self.reader.reads_text:
            specs["encode_ads_text"] = (self.encode_ads, self.reader.specs(1))
        signatures = {
            name: tf.function(method, autograph=False).get_concrete_function(
                **inputs
            )
            for name, (method, inputs) in specs.items()
        }
        # What is read of ranker and encoder; not the ad tower's tables.
        read = {
            variable.ref(): variable
            for signature in signatures.values()
            for variable in signature.graph.variables
        }
        self._weights = list(read.values())
        return signatures

    def score(self, *, candidate_ads, **request) -> dict[str, tf.Tensor]:
        """Scores one ad per row.

        Args:
          candidate_ads: ad ids [B].
          **request: user, history and context, leading axis [B].

        Returns:
          `pctr` and its `logits`, and where clicks and conversions are tasks
          `pcvr`, of a conversion once there is a click, and `pctcvr`, of both;
          `score`, which is `pctcvr`, or `pctr` where there is no such;
          float32 [B].
        """
        slates = candidate_ads[:, None]
        scored = self.score_slate(candidate_ads=slates, **request)
        return {name: values[:, 0] for name, values in scored.items()}

    def score_slate(self, *, candidate_ads, **request) -> dict[str, tf.Tensor]:
        """Scores many ads per user, whose side is worked out once.

        Args:
          candidate_ads: ad ids [B, C]; shorter slates may be filled up with
            anything, as no ad's score depends on the others.
          **request: user, history and context, leading axis [B].

        Returns:
          As from `score`, float32 [B, C].
        """
        inputs, history = self._read(request)
        rows = self._ads.lookup(candidate_ads)
        return self._answer(self._rank(inputs, history, rows))

    def score_new_ads(
        self, *, candidate_ads, new_ads, **request
    ) -> dict[str, tf.Tensor]:
        """Scores many ads per user, some of which the request brings along.

        Args:
          candidate_ads: ad ids [B, C], of the catalogue and of `new_ads`.
          new_ads: ad ids [B, M]. One that the catalogue has is read from there;
            of one that comes twice in a row, the first counts.
          **request: user, history, which may name new ads too, and context,
            leading axis [B]; and the columns of the new ads, with the prefix
            `new_`, leading axes [B, M].

        Returns:
          As from `score`, float32 [B, C].

        Raises:
          tf.errors.InvalidArgumentError: where a new ad lacks a column's value.
        """
        columns = {
            name: request.pop(NEW + name)
            for name in self.reader.specs(
                2, as_tokens=not self.reader.reads_text
            )
        }
        rule = "every column of new ads must have a value for each of new_ads"
        checks = [
            tf.debugging.assert_equal(
                tf.shape(values)[:2], tf.shape(new_ads), message=rule
            )
            for values in columns.values()
        ]
        with tf.control_dependencies(checks):
            new = (new_ads, self.reader(columns))
        inputs, history = self._read(request, new)
        ads = self._gather(candidate_ads, tuple(self._encoded), new)
        return self._answer(self._ranker.value.rank(inputs, history, ads))

    def encode_ads(self, **columns) -> dict[str, tf.Tensor]:
        """Encodes ads that the catalogue does not have.

        Args:
          **columns: of the ads, leading axis [n]; see `AdReader`.

        Returns:
          `vector`, float32 [n, D], their sum `fields`, float32 [n, N, D] (as
          the unknown id's), and `bias`, float32 [n].
        """
        encoded = self.reader(columns)
        return {
            name: tf.cast(encoded[name], tf.float32)
            for name in ("vector", "fields", "bias")
        }

    def encode_user(self, **request) -> dict[str, tf.Tensor]:
        """Encodes users.

        Args:
          **request: user, history and context, leading axis [B].

        Returns:
          `events`, float32 [B, T, D], the user vectors that a matching layer
          reads, of the newest T events; `mask`, bool [B, T]; `bias`, float32
          [B]; and where the behaviour encoder does not look at candidates
          `user`, float32 [B, D].
        """
        inputs, history = self._read(request)
        # An encoder that looks at candidates answers for both of them.
        slate = [tf.shape(request["user_id"])[0], 2]
        width = self._encoded["vector"].shape[-1]
        nothing = {"vector": tf.zeros([*slate, width], history["vector"].dtype)}
        if "category" in history:
            nothing["category"] = tf.zeros(slate, tf.int32)
        user = self._ranker.value.encode_user(inputs, history, nothing)
        answer = {
            "events": tf.cast(user["events"], tf.float32),
            "mask": user["mask"],
            "bias": user["bias"],
        }
        if user["user"].shape[1] == 1:
            answer["user"] = tf.cast(user["user"][:, 0], tf.float32)
        return answer

    def recommend(
        self, *, exclude_ads, exclude_history, k, **request
    ) -> dict[str, tf.Tensor]:
        """The best ads of the catalogue for each user, by their `score`.

        Args:
          exclude_ads: ad ids [B, E] to leave out; unknown ids do nothing, so
            that rows may be filled up with them.
          exclude_history: bool [B], whether to leave out the ads of the
            history as well, also of events too old for the ranker to read.
          k: int32 [B], how many ads to give; at most the whole catalogue.
          **request: user, history and context, leading axis [B].

        Returns:
          `ad_ids` [B, K], K the largest k, best first and without repeats, and
          what `score` gives of them, float32 [B, K]. Where fewer ads are left
          or asked for, the rest is the empty id ("" or -1) with probabilities
          of 0 and a logit of -inf.
        """
        inputs, history = self._read(request)
        worth = self._rank_all(inputs, history)  # [B, N + 1]
        unwanted = self._unwanted(exclude_ads, exclude_history, request)
        return self._best(worth, unwanted, k, inputs, history)

    def recommend_from(
        self,
        *,
        candidate_ads,
        bids,
        exclude_ads,
        exclude_history,
        k,
        **request,
    ) -> dict[str, tf.Tensor]:
        """The best ads of a list for each user, by their `score` times a bid.

        Args:
          candidate_ads: ad ids [B, C]; unknown ids are left out, and of an ad
            that comes twice the higher bid counts.
          bids: float32 [B, C] in any currency, finite and >= 0: what a click is
            worth, or a conversion where conversions are a task.
          exclude_ads: see `recommend`.
          exclude_history: see `recommend`.
          k: see `recommend`.
          **request: user, history and context, leading axis [B].

        Returns:
          As from `recommend`.

        Raises:
          tf.errors.InvalidArgumentError: for other bids.
        """
        is_fit = tf.reduce_all(tf.math.is_finite(bids) & (bids >= 0))
        rule = "bids must be finite, >= 0, and one for each of candidate_ads"
        with tf.control_dependencies(
            [
                tf.debugging.Assert(is_fit, [rule]),
                tf.debugging.assert_equal(
                    tf.shape(bids), tf.shape(candidate_ads), message=rule
                ),
            ]
        ):
            inputs, history = self._read(request)
        rows = self._ads.lookup(candidate_ads)
        logits = self._rank(inputs, history, rows)[self._ordered]
        nothing = tf.fill([tf.shape(rows)[0], self._ad_ids.shape[0]], -np.inf)
        worth = tf.tensor_scatter_nd_max(
            nothing, _places(rows), tf.sigmoid(logits) * bids
        )
        unwanted = self._unwanted(exclude_ads, exclude_history, request)
        return self._best(worth, unwanted, k, inputs, history)

    def serve_examples(self, *, examples) -> dict[str, tf.Tensor]:
        """Scores one ad per serialised `tf.train.Example`.

        Its features have the names of `score`'s inputs. A history's features
        are lists of one length, and there is no `history_length`; numbers of
        the context are floats. What an example lacks is unknown.

        Args:
          examples: string [B].

        Returns:
          As from `score`, float32 [B].
        """
        specs = self._user_specs()
        specs["candidate_ads"] = tf.TensorSpec([None], self._ad_type)
        del specs["history_length"]
        # An example has no other numbers than these.
        stored = {tf.float64: tf.float32, tf.int32: tf.int64}
        unknown = {tf.string: "", tf.int64: -1, tf.float32: np.nan}
        features = {}
        for name, spec in specs.items():
            dtype = stored.get(spec.dtype, spec.dtype)
            features[name] = (
                tf.io.RaggedFeature(dtype)
                if spec.shape.rank == 2
                else tf.io.FixedLenFeature([], dtype, unknown[dtype])
            )
        parsed = {
            # One long history must not make all of them long.
            name: v[:, -self._length :] if isinstance(v, tf.RaggedTensor) else v
            for name, v in tf.io.parse_example(examples, features).items()
        }
        length = parsed["history_ads"].row_lengths()
        shape = tf.stack([-1, tf.reduce_max(tf.concat([[0], length], 0))])
        request = {"history_length": length}
        for name, values in parsed.items():
            if isinstance(values, tf.RaggedTensor):
                values = values.to_tensor(unknown[values.dtype], shape=shape)
            request[name] = values
        specs["history_length"] = tf.TensorSpec([None], tf.int32)
        return self.score(
            **{k: tf.cast(v, specs[k].dtype) for k, v in request.items()}
        )

    def _unwanted(self, exclude_ads, exclude_history, request):
        """Rows of the catalogue to leave out, [B, E + T + 1]."""
        # The whole history, also what the ranker no longer reads.
        past = request["history_ads"]
        real = tf.sequence_mask(request["history_length"], tf.shape(past)[1])
        seen = real & exclude_history[:, None]
        unwanted = [
            self._ads.lookup(exclude_ads),
            tf.where(seen, self._ads.lookup(past), 0),
            # Row 0, the unknown ad, is never recommended.
            tf.zeros([tf.shape(past)[0], 1], tf.int32),
        ]
        return tf.concat(unwanted, axis=1)

    def _best(self, worth, unwanted, k, inputs, history):
        """The k rows of most worth, [B, N + 1], as they are answered."""
        lowest = tf.fill(tf.shape(unwanted), -np.inf)
        worth = tf.tensor_scatter_nd_update(worth, _places(unwanted), lowest)
        k = tf.clip_by_value(k, 0, self._ad_ids.shape[0] - 1)
        width = tf.maximum(tf.reduce_max(k), 0)
        best, rows = tf.math.top_k(worth, width)
        is_there = (best > -np.inf) & (tf.range(width) < k[:, None])
        rows = tf.where(is_there, rows, 0)
        answer = self._answer(self._rank(inputs, history, rows))
        nothing = {"logits": -np.inf}
        return {
            "ad_ids": tf.gather(self._ad_ids, rows),
            **{
                name: tf.where(is_there, values, nothing.get(name, 0.0))
                for name, values in answer.items()
            },
        }

    def _user_specs(self) -> dict[str, tf.TensorSpec]:
        def spec(name, shape, dtype):
            return tf.TensorSpec(shape, dtype, name)

        specs = {
            "user_id": spec("user_id", [None], self._user_type),
            "history_ads": spec("history_ads", [None, None], self._ad_type),
            "history_events": spec("history_events", [None, None], tf.string),
            "history_ages": spec("history_ages", [None, None], tf.int32),
            "history_length": spec("history_length", [None], tf.int32),
        }
        for name, feature in self._context.items():
            categorical = feature.kind == "categorical"
            dtype = tf.string if categorical else tf.float64
            specs[name] = spec(name, [None], dtype)
        return specs

    def _read(self, request: Mapping[str, tf.Tensor], new=None):
        """A raw request as the ranker reads it, and its history, encoded."""
        given = tf.shape(request["history_ads"])[1]
        length = tf.clip_by_value(request["history_length"], 0, given)
        first = tf.maximum(length - self._length, 0)
        places = first[:, None] + tf.range(tf.minimum(given, self._length))

        def newest(values):
            return tf.gather(
                values, tf.minimum(places, given - 1), batch_dims=1
            )

        inputs = {
            "user_id": self._users.lookup(request["user_id"]),
            "history_events": self._events.lookup(
                newest(request["history_events"])
            ),
            "history_ages": newest(request["history_ages"]),
            "history_length": tf.minimum(length, self._length),
        }
        for name, feature in self._context.items():
            inputs[name] = self._encode(feature, request[name])
        history = self._gather(
            newest(request["history_ads"]),
            ("vector", *self._ranker.value.ad_tower.kind),
            new,
        )
        return inputs, history

    def _gather(self, ids, keys, new=None):
        """What is known of ads [B, n], from the catalogue or of new ones.

        `new` is a pair: ids [B, M], and the ad tower's dict for them.
        """
        rows = self._ads.lookup(ids)
        found = {key: tf.gather(self._encoded[key], rows) for key in keys}
        if new is None:
            return found
        new_ids, encoded = new
        # Place M is that of no new ad.
        is_new = (ids[:, :, None] == new_ids[:, None, :]) & (rows == 0)[
            ..., None
        ]
        is_new = tf.pad(
            tf.cast(is_new, tf.int32),
            [[0, 0], [0, 0], [0, 1]],
            constant_values=1,
        )
        place = tf.argmax(is_new, axis=-1)
        is_known = place == tf.shape(new_ids, tf.int64)[1]
        for key, values in found.items():
            pad = [[0, 0], [0, 1], *[[0, 0]] * (values.shape.rank - 2)]
            other = tf.gather(tf.pad(encoded[key], pad), place, batch_dims=1)
            shape = tf.concat(
                [tf.shape(place), [1] * (values.shape.rank - 2)], 0
            )
            found[key] = tf.where(tf.reshape(is_known, shape), values, other)
        return found

    def _encode(self, feature: Feature, values: tf.Tensor) -> tf.Tensor:
        if feature.kind == "categorical":
            return self._vocabularies[feature.name].lookup(values)
        return standardised(feature, values)

    def _rank(self, inputs, history, rows):
        ads = {k: tf.gather(v, rows) for k, v in self._encoded.items()}
        return self._ranker.value.rank(inputs, history, ads)

    def _answer(self, logits):
        """Logits by task, as they are answered."""
        return {
            "logits": logits["clicked"],
            "score": tf.sigmoid(logits[self._ordered]),
            **{
                answer: tf.sigmoid(logits[task])
                for answer, task in PROBABILITIES.items()
                if task in logits
            },
        }

    def _rank_all(self, inputs, history):
        """Logits of what ads are ordered by, [B, N + 1]."""
        batch = tf.shape(inputs["history_length"])[0]
        total = self._ad_ids.shape[0]
        chunks = -(-total // _CHUNK)

        def rank_chunk(number):
            rows = number * _CHUNK + tf.range(_CHUNK)
            rows = tf.broadcast_to(
                tf.minimum(rows, total - 1)[None, :], [batch, _CHUNK]
            )
            return self._rank(inputs, history, rows)[self._ordered]

        logits = tf.map_fn(
            rank_chunk,
            tf.range(chunks),
            fn_output_signature=tf.float32,
            parallel_iterations=1,
        )  # [chunks, B, CHUNK]
        logits = tf.reshape(
            tf.transpose(logits, [1, 0, 2]), [batch, chunks * _CHUNK]
        )
        return logits[:, :total]


def _places(rows):
    """[B, n] columns as places in a matrix of B rows, [B, n, 2]."""
    batch = tf.broadcast_to(
        tf.range(tf.shape(rows)[0])[:, None], tf.shape(rows)
    )
    return tf.stack([batch, rows], axis=-1)


def _encode_catalogue(
    ranker: AdRanker, more: Catalogue | None
) -> dict[str, np.ndarray]:
    """What the ad tower makes of all its rows, and of more ads behind them."""
    total = ranker.ad_tower.num_rows + len(more or ())
    tables: dict[str, np.ndarray] = {}
    start = 0
    for part in _encoded_parts(ranker.ad_tower, more):
        for name, values in part.items():
            encoded = np.asarray(values)
            if name not in tables:
                shape = (total, *encoded.shape[1:])
                tables[name] = np.empty(shape, encoded.dtype)
            tables[name][start : start + len(encoded)] = encoded
        start += len(encoded)
    return tables


def _encoded_parts(tower, more):
    step = _ROWS if tower.text is None else _TEXTS
    encode = tf.function(
        tower, input_signature=[tf.TensorSpec([None], tf.int32)]
    )
    for start in range(0, tower.num_rows, step):
        yield encode(tf.range(start, min(start + step, tower.num_rows)))
    unknown = tower.columns(tf.constant([0]))
    sizes = tower.get_config()["catalogue"]
    for start in range(0, len(more or ()), _ROWS):
        part = slice(start, start + _ROWS)
        columns = {
            f"categorical:{name}": more.categoricals[name][part]
            for name in sizes["categoricals"]
        }
        columns |= {
            f"vector:{name}": more.vectors[name][part]
            for name in vector_sizes(tower)
        }
        if sizes["numerics"]:
            columns["numeric"] = np.stack(
                [more.numerics[n][part] for n in sizes["numerics"]], axis=-1
            )
        count = len(more.ad_ids[part])
        columns |= {
            name: tf.repeat(unknown[name], count, axis=0)
            for name in ("id", "bias")
            if name in unknown
        }
        yield tower.encode_columns(columns)
