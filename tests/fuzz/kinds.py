"""Kinds of files: good ones, what is changed in them, and what reads them."""

import io
import json
import shutil
import zipfile

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import tokenizers
import yaml

from tests.data import tiny_encoder
from tests.fuzz import calls
from tests.fuzz.mutations import changed_bytes, changed_json, changed_tree
from tests.training import small
from tests.training.test_cross_encoder_run import YAML as CROSS_ENCODER
from tfadrec.core.config import RunConfig as RunSettings
from tfadrec.core.manifest import Manifest, facts_of_file
from tfadrec.training import train_cross_encoder

ADS = "id,name,brand,price\na0,Red shoes,Swift,10\na1,Straw hat,,9.5\n"
LOG = (
    "user,ad,time,click,device\nu,a0,1600000000,1,phone\n"
    'v,a1,2020-09-13 12:28,0,""\nu,a1,1600000200,1,desk\n'
    "w,a0,1600000300,0,phone\n"
)
TABLE = {
    "ads": {
        "file": "ads.csv",
        "ad_id": "id",
        "title": "name",
        "features": {"brand": "category", "price": "number"},
    },
    "impressions": {
        "file": "log.csv",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "clicked": "click",
        "features": {"device": {"kind": "category", "min_count": 1}},
        "max_rejected": 0.9,
    },
    "events": {
        "file": "log.csv",
        "where": {"click": "1"},
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "event_type": {"constant": "click"},
        "max_rejected": 0.9,
    },
}
SAMPLED = {
    **TABLE,
    "impressions": {
        k: v for k, v in TABLE["impressions"].items() if k != "clicked"
    },
    "sampling": {"negatives_per_positive": 2, "period": "day", "seed": 1},
}
RUN = {
    **yaml.safe_load(small.YAML),
    "matching": {"class": "AttentionMatching", "num_heads": 1},
    "interaction": {"class": "CIN", "hidden_units": [4]},
    "user_tower": {"use_id": True, "max_length": 9},
}
SPACE = {
    "encoder": {"class": {"choice": ["DIN", "BST"]}},
    "optimizer": {
        "class": "LazyAdam",
        "learning_rate": {"float": {"min": 1e-4, "max": 1e-2}},
    },
    "ad_tower": {"width": {"int": {"min": 1, "max": 8}, "default": 2}},
}


def as_yaml(seeds):
    texts = [yaml.safe_dump(seed).encode() for seed in seeds]
    trees = changed_tree(seeds).map(
        lambda tree: yaml.safe_dump(tree, allow_unicode=False).encode()
    )
    return trees | changed_bytes(texts)


def parquet():
    table = {
        "user": ["u", "v", "u", "w"],
        "ad": ["a0", "a1", "a1", "a0"],
        "time": [1600000000 + 60 * n for n in range(4)],
        "click": [1, 0, 1, 0],
        "device": ["a", "", None, "b"],
    }
    found = []
    for options in ({}, {"compression": "none", "use_dictionary": False}):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(table), sink, **options)
        found.append(sink.getvalue().to_pybytes())
    return found


def write(folder, **files):
    """A folder for `prepare`, with some files in the place of its own."""
    whole = {
        "ads.csv": ADS.encode(),
        "log.csv": LOG.encode(),
        "t.yaml": yaml.safe_dump(TABLE).encode(),
    } | files
    for name, data in whole.items():
        (folder / name).write_bytes(data)


class Kind:
    """Files of one kind: how they are made, and what reads them."""

    call = "prepare"

    def strategy(self):
        """Of (file name, its bytes), to be put into a good folder."""
        raise NotImplementedError

    def fill(self, folder):
        """Writes the good folder."""
        write(folder)

    def good(self):
        """Good files of it, as `strategy` names them, that `fill` lacks."""
        return []

    def put(self, folder, name, data):
        """Writes a changed file beside good ones, and removes what was made."""
        shutil.rmtree(folder / "out", ignore_errors=True)
        (folder / name).write_bytes(data)


class TableConfig(Kind):
    def good(self):
        return [
            ("t.yaml", yaml.safe_dump(t).encode()) for t in (TABLE, SAMPLED)
        ]

    def strategy(self):
        return as_yaml([TABLE, SAMPLED]).map(lambda data: ("t.yaml", data))


class Csv(Kind):
    def strategy(self):
        log = changed_bytes([LOG.encode(), LOG.replace("\n", "\r").encode()])
        ads = changed_bytes([ADS.encode()])
        return log.map(lambda data: ("log.csv", data)) | ads.map(
            lambda data: ("ads.csv", data)
        )


class Parquet(Kind):
    def good(self):
        return [("log.parquet", data) for data in parquet()]

    def fill(self, folder):
        config = yaml.safe_dump(TABLE).replace("log.csv", "log.parquet")
        write(folder, **{"t.yaml": config.encode()})

    def strategy(self):
        return changed_bytes(parquet()).map(lambda data: ("log.parquet", data))


class RunConfig(Kind):
    call = "settings"

    def fill(self, folder):
        write(folder)
        assert calls.outcome("prepare", folder)[0] == 0
        (folder / "out").rename(folder / "data")

    def good(self):
        return [("run.yaml", yaml.safe_dump(RUN).encode())]

    def strategy(self):
        return as_yaml([RUN]).map(lambda data: ("run.yaml", data))


class DatasetFiles(Kind):
    call = "dataset"

    def fill(self, folder):
        shutil.copytree(prepared(), folder, dirs_exist_ok=True)

    def strategy(self):
        schema = json.loads((prepared() / "schema.json").read_text())
        manifest = json.loads((prepared() / "manifest.json").read_text())
        return (
            changed_json([schema]).map(lambda data: ("schema.json", data))
            | changed_json([manifest]).map(lambda d: ("manifest.json", d))
            | st.sampled_from(
                ["ads.parquet", "impressions.parquet", "events.parquet"]
            ).flatmap(
                lambda name: changed_bytes(
                    [(prepared() / name).read_bytes()]
                ).map(lambda data: (name, data))
            )
        )


class Unlisted(DatasetFiles):
    """A dataset without the list of its files, so that none is compared."""

    def fill(self, folder):
        super().fill(folder)
        (folder / "manifest.json").unlink()


class Space(Kind):
    call = "space"

    def fill(self, folder):
        pass

    def good(self):
        return [("space.yaml", yaml.safe_dump(SPACE).encode())]

    def strategy(self):
        return as_yaml([SPACE]).map(lambda data: ("space.yaml", data))


class RunFiles(Kind):
    call = "run"

    def made(self):
        """The run's folder."""
        return small.run_folder()

    def fill(self, folder):
        shutil.copytree(self.made(), folder / "run")
        shutil.copytree(small.world(), folder / "world")

    def strategy(self):
        made = self.made()
        texts = [
            changed_json([json.loads((made / name).read_text())]).map(
                lambda data, name=name: (f"run/{name}", data)
            )
            for name in ("run.json", "state.json")
        ]
        model = changed_bytes([(made / "model.keras").read_bytes()])
        return st.one_of(
            *texts, model.map(lambda data: ("run/model.keras", data))
        )


class SignedRun(RunFiles):
    """A run whose list of files has the sums of what was changed."""

    def strategy(self):
        made = self.made()
        with zipfile.ZipFile(made / "model.keras") as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}

        def packed(name, data):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w") as archive:
                for each, content in {**parts, name: data}.items():
                    archive.writestr(each, content)
            return "run/model.keras", file.getvalue()

        texts = [
            changed_json([json.loads((made / name).read_text())]).map(
                lambda data, name=name: (f"run/{name}", data)
            )
            for name in ("run.json", "state.json")
        ]
        config = changed_tree([json.loads(parts["config.json"])]).map(
            lambda tree: packed("config.json", json.dumps(tree).encode())
        )
        weights = changed_bytes([parts["model.weights.h5"]]).map(
            lambda data: packed("model.weights.h5", data)
        )
        return st.one_of(*texts, config, config, weights)

    def put(self, folder, name, data):
        super().put(folder, name, data)
        run = folder / "run"
        made = Manifest.in_folder(run)
        file = name.removeprefix("run/")
        facts = {**made.files, file: facts_of_file(folder / name)}
        Manifest(made.kind, facts).write(run)


class CrossEncoderRun(RunFiles):
    call = "cross_encoder_run"

    def made(self):
        made = small.folder() / "cross_encoder"
        if not made.exists():
            text = CROSS_ENCODER.replace("MODEL", str(language_model()))
            config = RunSettings.from_yaml(text)
            train_cross_encoder(small.world(), config, made, progress=False)
        return made


class SignedCrossEncoderRun(CrossEncoderRun, SignedRun):
    """The same with the right sums."""


class ModelFolder(Kind):
    call = "language_model"

    def fill(self, folder):
        shutil.copytree(language_model(), folder, dirs_exist_ok=True)

    def strategy(self):
        made = language_model()
        texts = [
            changed_json([json.loads(path.read_text())]).map(
                lambda data, name=path.name: (name, data)
            )
            for path in sorted(made.glob("*.json"))
        ]
        weights = changed_bytes([(made / "model.safetensors").read_bytes()])
        return st.one_of(
            *texts, weights.map(lambda data: ("model.safetensors", data))
        )


class TokenizerFile(Kind):
    """Of a folder whose weights are not read."""

    call = "tokenizer"

    def fill(self, folder):
        shutil.copytree(language_model(), folder, dirs_exist_ok=True)

    def good(self):
        return [
            ("tokenizer.json", made.to_str().encode())
            for made in tokenizers_of_models()
        ]

    def strategy(self):
        seeds = [json.loads(made.to_str()) for made in tokenizers_of_models()]
        return changed_json(seeds).map(lambda data: ("tokenizer.json", data))


def tokenizers_of_models():
    """Of BERT's kind, GPT-2's, and T5's."""
    words = {word: i for i, word in enumerate(tiny_encoder.WORDS)}
    split, normal = tokenizers.pre_tokenizers, tokenizers.normalizers
    bert = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(words, unk_token="[UNK]")
    )
    bert.normalizer = normal.BertNormalizer()
    bert.pre_tokenizer = split.BertPreTokenizer()
    bert.post_processor = tokenizers.processors.TemplateProcessing(
        single="a $A b", special_tokens=[("a", 2), ("b", 3)]
    )
    letters = sorted(split.ByteLevel.alphabet())
    gpt = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            {each: i for i, each in enumerate([*letters, "ab"])}, [("a", "b")]
        )
    )
    gpt.pre_tokenizer = split.Sequence(
        [
            split.Split(
                tokenizers.Regex(r"\p{N}{1,3}| ?\p{L}+|\s+(?!\S)|\s+"),
                "isolated",
            ),
            split.ByteLevel(use_regex=False),
        ]
    )
    t5 = tokenizers.Tokenizer(
        tokenizers.models.Unigram([(word, -1.0) for word in words], 1, False)
    )
    t5.normalizer = normal.Sequence(
        [normal.Replace(tokenizers.Regex(" {2,}"), " "), normal.NFKC()]
    )
    t5.pre_tokenizer = split.Metaspace()
    return bert, gpt, t5


def prepared():
    made = small.folder() / "fuzz"
    if not made.exists():
        made.mkdir()
        write(made)
        assert calls.outcome("prepare", made) == (0, [])
    return made / "out"


def language_model():
    made = small.folder() / "fuzz_model"
    return made if made.exists() else tiny_encoder.write_model(made)


#: Those that take milliseconds; the others read models.
QUICK = [
    TableConfig(),
    Csv(),
    Parquet(),
    RunConfig(),
    DatasetFiles(),
    Unlisted(),
]
SLOW = [
    *QUICK,
    Space(),
    RunFiles(),
    SignedRun(),
    CrossEncoderRun(),
    SignedCrossEncoderRun(),
    ModelFolder(),
    TokenizerFile(),
]
