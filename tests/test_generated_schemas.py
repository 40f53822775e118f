"""Datasets of all sorts: what is trained is what is served, and never NaN.

A dataset is generated from a seed: features of any entity and kind, with odd
names, and columns of numbers, huge ones, texts, nulls and what cannot be read.
It is prepared, a ranker with random weights reads it, and a service answers the
raw requests behind its rows, and requests whose values the dataset never had.
"""

import numpy as np
import pytest
import yaml

from tfadrec import layers, models, serving
from tfadrec.core.door import keras, tf
from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset

ADS, USERS, EVENTS, ROWS = 6, 5, 20, 24
NAMES = [
    "class",
    *("brand", "Brand", "BRAND ", "k", "bids", "self", "history_length"),
    *("a-b", "a.b", "a/b", "Größe", "価格", "🙂", "1", "", "user_id", "weight"),
    *("new_ads", "x" * 70, "candidate ads", "tags", "category", "position"),
    *("history_ads", "text", "vector", "x_weights", "x", "label:0", "'q'"),
]
TEXTS = [
    "",
    "a",
    "b",
    "c d",
    "é",
    "🙂",
    "0",
    "true",
    "x|y",
    "-",
    "nan",
    "Ω" * 30,
]
NUMBERS = ["", "0", "-1", "1e300", "-1e99", "3.5", "7", "1e-320", "nan", "oops"]
ENTITIES = {
    "ad": ("ads", "features"),
    "user": ("users", "features"),
    "event": ("events", "features"),
    "context": ("impressions", "features"),
    "candidate": ("impressions", "candidate_features"),
}
KINDS = ["category", "hashed", "number", "log", "buckets", "bounds"]
KINDS += ["categories", "weighted", "vector", "lookup"]


class World:
    """The files and the YAML of one seed."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.config = {
            "ads": {"file": "ads.csv", "ad_id": "ad_"},
            "users": {"file": "users.csv", "user_id": "user_"},
            "events": {
                "file": "events.csv",
                **self.log(),
                "event_type": {"constant": "click"},
            },
            "impressions": {
                "file": "log.csv",
                **self.log(),
                "clicked": "click_",
                "request_id": "request_",
            },
        }
        self.columns = {"ads": {}, "users": {}, "events": {}, "impressions": {}}
        self.sizes = {
            "ads": ADS,
            "users": USERS,
            "events": EVENTS,
            "impressions": ROWS,
        }
        self.columns["ads"]["first"] = self.column("category", ADS)[1]
        self.config["ads"]["features"] = {"first": "category"}
        for number in range(self.random.integers(2, 9)):
            entity = self.random.choice(list(ENTITIES))
            self.add(self.random.choice(KINDS), entity, f"c{number}")
        self.derive()

    @staticmethod
    def log():
        return {"user_id": "user_", "ad_id": "ad_", "timestamp": "time_"}

    def add(self, kind, entity, column):
        section, key = ENTITIES[entity]
        features = self.config[section].setdefault(key, {})
        name = str(self.random.choice(NAMES)) or column
        if name in features or (
            section == "impressions"
            and name in self.config[section].get("features", {})
        ):
            name = column
        if kind == "lookup" and entity not in ("user", "context"):
            kind = "weighted"
        settings, values = self.column(kind, self.sizes[section])
        self.columns[section][column] = values
        features[name] = {**settings, "column": column}
        return name

    def column(self, kind, count):
        pick = self.random.choice
        numbers = [str(pick(NUMBERS)) for _ in range(count)]
        texts = [str(pick(TEXTS)) for _ in range(count)]
        lists = ["|".join(pick(TEXTS, pick([0, 1, 3]))) for _ in range(count)]
        maps = [
            "|".join(f"{pick(TEXTS)}:{pick(NUMBERS)}" for _ in range(pick(3)))
            for _ in range(count)
        ]
        vectors = [f"{pick(NUMBERS[1:7])} 1.5" for _ in range(count)]
        # A column in which nothing can be read is refused.
        numbers[0], vectors[0], maps[0] = "3.5", "0 1.5", "a:1"
        number = {"kind": "number"}
        return {
            "category": ({"kind": "category"}, texts),
            "hashed": ({"kind": "category", "buckets": 3}, texts),
            "number": (number, numbers),
            "log": ({**number, "log1p": True}, numbers),
            "buckets": ({**number, "buckets": 3}, numbers),
            "bounds": ({**number, "bounds": [-1e6, 0.5]}, numbers),
            "categories": ({"kind": "categories", "separator": "|"}, lists),
            "weighted": (
                {"kind": "categories", "separator": "|", "weighted": True},
                maps,
            ),
            "vector": ({"kind": "vector"}, vectors),
            "lookup": (
                {"kind": "lookup", "separator": "|", "of": "ad.first"},
                maps,
            ),
        }[kind]

    def derive(self):
        """A cross, and formulas, where there is something to make them of."""
        features = self.config["impressions"].setdefault(
            "candidate_features", {}
        )
        for entity, (section, key) in ENTITIES.items():
            if entity == "event":
                continue
            named = self.config[section].get(key, {})
            for name, settings in list(named.items()):
                if not isinstance(settings, dict) or "column" not in settings:
                    continue
                kind, given = settings["kind"], f"{entity}.{name}"
                plain = not {"bounds", "buckets"} & set(settings)
                if kind == "category" and given != "ad.first":
                    of = ["ad.first", given]
                    features["crossed"] = {"kind": "cross", "of": of}
                    twin = self.twin(named, f"{entity}.", name)
                    features["again"] = {"kind": "overlap", "of": [given, twin]}
                if kind == "number" and plain:
                    features["formula"] = {
                        "kind": "expression",
                        "of": given,
                        "expression": "log(a) / (a - 1)",
                    }
                if kind == "categories" and "share" not in settings:
                    twin = self.twin(named, f"{entity}.", name)
                    features["both"] = {"kind": "overlap", "of": [given, twin]}

    def twin(self, named, place, name):
        """A feature of the same column that shares the vocabulary of another.

        Gives what it is called.
        """
        own = {k: v for k, v in named[name].items() if k != "buckets"}
        named[f"{name} too"] = {**own, "share": place + name}
        return f"{place}{name} too"

    def write(self, folder):
        random = self.random
        self.columns["ads"]["ad_"] = [f"a{n}" for n in range(ADS)]
        self.columns["users"]["user_"] = [f"u{n}" for n in range(USERS)]
        for section in ("events", "impressions"):
            count = self.sizes[section]
            self.columns[section] |= {
                "user_": [
                    f"u{n}" for n in random.integers(0, USERS + 1, count)
                ],
                "ad_": [f"a{n}" for n in random.integers(0, ADS, count)],
                "time_": [str(n) for n in random.integers(0, 99, count)],
            }
        self.columns["impressions"] |= {
            "click_": [str(n) for n in random.integers(0, 2, ROWS)],
            "request_": [f"r{n}" for n in range(ROWS)],
        }
        for section, columns in self.columns.items():
            lines = [
                "\t".join(row) for row in zip(*columns.values(), strict=True)
            ]
            file = self.config[section]["file"].replace(".csv", ".tsv")
            self.config[section]["file"] = file
            text = "\n".join(["\t".join(columns), *lines, ""])
            (folder / file).write_text(text, "utf-8")
        (folder / "t.yaml").write_text(yaml.safe_dump(self.config), "utf-8")
        return folder / "t.yaml"


def ranker_of(dataset, random):
    ranker = models.AdRanker.for_dataset(
        dataset,
        layers.DIN(hidden_units=(3,)),
        ad_tower={"width": 4},
        hidden_units=(4,),
    )
    ranker.build()
    for variable in ranker.trainable_variables:
        variable.assign(random.normal(0, 0.5, variable.shape))
    return ranker


def unseen(request, random):
    """The request with values that the dataset never had."""
    odd = {
        "f": [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0],
        "O": ["", "never seen", "a", "\x00", "🙂" * 100],
    }
    changed = {}
    for name, values in request.items():
        values = np.asarray(values)
        if values.dtype.kind in odd:
            with np.errstate(over="ignore"):
                picked = np.array(odd[values.dtype.kind]).astype(values.dtype)
            values = picked[random.integers(0, len(picked), values.shape)]
        changed[name] = values
    return changed


def check(seed, folder):
    world = World(seed)
    sources.prepare_table(world.write(folder), folder / "data")
    dataset = open_dataset(folder / "data").with_history_length(3)
    ranker = ranker_of(dataset, world.random)
    inputs, _ = next(iter(dataset.batches(ROWS)))
    expected = ranker(inputs, training=False)["clicked"].numpy()
    service = serving.RankingService(ranker, dataset)
    request = serving.replay(dataset, np.arange(ROWS))
    for given in (request, unseen(request, world.random)):
        answer = service.score(
            **{k: tf.convert_to_tensor(v) for k, v in given.items()}
        )
        probabilities = answer["pctr"].numpy()
        assert np.isfinite(answer["logits"]).all()
        assert (probabilities > 0).all()
        assert (probabilities < 1).all()
        if given is request:
            bound = 1e-5 * np.maximum(1, np.abs(expected))
            differs = np.abs(answer["logits"].numpy() - expected)
            assert (differs <= bound).all(), (differs / bound).max()
    keras.backend.clear_session()


@pytest.mark.parametrize("seed", range(3))
def test_some(seed, tmp_path):
    check(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(10))
def test_a_thousand(hundred, tmp_path):
    for seed in range(1000 + 100 * hundred, 1100 + 100 * hundred):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            check(seed, folder)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
