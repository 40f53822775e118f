"""Every command that writes, over small inputs, and what it writes to."""

import json

from tests.data import tiny_encoder
from tests.test_end_to_end import make_bert
from tests.training import (
    small,
    test_cross_encoder_run,
    test_retriever_run,
)
from tests.training.test_update import write_day

#: How often each is ended, after all of them once: cheap ones, of which most of
#: the time is spent in writing, come more often.
WEIGHTS = {
    "prepare": 30,
    "encode": 10,
    "train": 4,
    "finetune": 2,
    "cross": 2,
    "evaluate": 10,
    "calibrate": 10,
    "pretrain": 4,
    "update": 2,
    "follow": 2,
    "retrieve": 4,
    "distil": 2,
    "replay": 2,
    "export": 2,
    "delta": 2,
    "apply": 10,
    "add": 2,
    "remove": 4,
    "restore": 2,
    "monitor": 10,
    "index": 2,
    "promote": 2,
    "rollback": 10,
    "tune": 1,
}
#: What must be there before: of which command, and where it stands then.
FURNITURE = {
    "evaluate": {"run": "train/out"},
    "calibrate": {"run": "train/out"},
    "export": {"run": "train/out"},
    "delta": {"out": "shop/out"},
    "apply": {"shop": "delta/out"},
    "add": {"out": "shop/out"},
    "remove": {"out": "shop/out"},
    "restore": {"out": "remove/out"},
    "index": {"run": "train/out"},
    "monitor": {"out": "export/out"},
    "canary": {"run": "train/out", "out": "export/out"},
    "promote": {"out": "canary/out"},
    "rollback": {"out": "promote/out"},
}
#: Others have nothing to do once they have done it, and say so.
DONE = {
    "promote": "is both",
    "rollback": "which has none",
    "apply": "a version is written once",
    "restore": "ads to restore are such that",
}
#: What may be there from an earlier call of the same command.
OLDER = {"prepare": "old", "encode": "encode", "export": "export"}
#: All of them, each after those that it needs.
ORDER = ["old", "first", *WEIGHTS]
ORDER.insert(ORDER.index("promote"), "canary")
ORDER.insert(ORDER.index("delta"), "shop")

#: Two steps to an epoch: what counts is what is written after them.
_EPOCHS = "epochs: 2, steps_per_epoch: 2"
RUN = small.YAML.replace("epochs: 4, steps_per_epoch: 6", _EPOCHS)
FIND = test_retriever_run.YAML.replace("epochs: 2, steps_per_epoch: 6", _EPOCHS)
FINE = RUN.replace(
    "text: null",
    "text: {model: MODEL, max_tokens: 16, tuning: {class: top_layers, k: 1}}",
)
CROSS = test_cross_encoder_run.YAML.replace(
    "epochs: 2, steps_per_epoch: 3", _EPOCHS
)
SPACE = RUN.replace(
    "learning_rate: 0.01", "learning_rate: {choice: [0.1, 0.01]}"
)
MODEL = """
model: {type: bert, vocabulary_size: 120, width: 8, num_layers: 1, num_heads: 2,
  max_tokens: 16}
objective: masked
max_tokens: 12
batch_size: 8
epochs: 2
steps_per_epoch: 2
"""
TABLE = """
ads: {file: ads.csv, ad_id: id, title: name}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
  clicked: click}
"""
_REQUESTS = 220
#: The ad that is taken down.
DOWN = "a1"


def write_inputs(folder, whole):
    """What commands read that no command has written.

    Args:
      folder: is made.
      whole: the folder of what commands will have written.
    """
    folder.mkdir()
    small.make_world(folder / "data")
    tiny_encoder.write_model(folder / "model")
    make_bert(folder / "bert")
    teacher = f"distil: {whole}/train/out\n"
    for name, text in {
        "run": RUN,
        "fine": FINE.replace("MODEL", f"{folder}/bert"),
        "space": SPACE,
        "model": MODEL,
        "gates": "{latency: null, calibration: null}\n",
        "find": FIND,
        "cross": CROSS.replace("MODEL", f"{folder}/bert"),
        "distil": FIND + teacher,
    }.items():
        (folder / f"{name}.yaml").write_text(text)
    for rows in (5, 7):
        _write_log(folder / str(rows), rows)
    for day in (0, 1):
        write_day(folder / f"day{day}", day)
    (folder / "days").mkdir()
    (folder / "days" / "1").symlink_to(folder / "day1" / "data")


def write_requests(folder, bundle):
    """A log of requests to a bundle: its own example, again and again."""
    body = json.loads((bundle / "requests/score_slate.json").read_text())
    line = json.dumps(body) + "\n"
    (folder / "requests.jsonl").write_text(line * _REQUESTS)


def _write_log(folder, rows):
    folder.mkdir()
    (folder / "t.yaml").write_text(TABLE)
    (folder / "ads.csv").write_text("id,name\na,A\n")
    lines = "".join(f"u,a,{1600000000 + row},1\n" for row in range(rows))
    (folder / "log.csv").write_text("user,ad,time,click\n" + lines)


def command(name, inputs, whole, home):
    """The command line that writes to `home`.

    Args:
      name: of `ORDER`.
      inputs: as from `write_inputs`.
      whole: the folder of what commands have written.
      home: the folder with its furniture.
    """
    data, out = ("--data", inputs / "data"), ("--out", home / "out")
    model = ("--model", inputs / "model", "--max-tokens", 12)
    trials = ("--tuner", "random", "--max-trials", 1, "--finalists", 0)
    first_day = ("--data", inputs / "day0/data")

    def settings(file):
        return ("--config", inputs / f"{file}.yaml")

    def prepare(rows):
        table = inputs / str(rows) / "t.yaml"
        return ("prepare", "table", "--config", table, *out)

    export = ("export", home / "run", *out)
    return {
        "old": prepare(5),
        "prepare": prepare(7),
        "first": ("train", *first_day, *settings("run"), *out),
        "encode": ("encode-ads", *data, *model, *out),
        "train": ("train", *data, *settings("run"), *out),
        "finetune": ("train", *data, *settings("fine"), *out),
        "cross": ("train", *data, *settings("cross"), *out),
        "evaluate": ("evaluate", home / "run"),
        "export": export,
        "canary": export,
        "pretrain": ("pretrain", *data, *settings("model"), *out),
        "update": (
            *("update", whole / "first/out", *out),
            *("--data", inputs / "day1/data", "--epochs", 1),
        ),
        "follow": (
            *("update", whole / "first/out", "--follow", inputs / "days"),
            *("--once", *out),
        ),
        "shop": ("export", whole / "first/out", *out),
        "delta": (
            *("export", whole / "update/out", *out),
            *("--since", home / "out/1"),
        ),
        "apply": (
            *("apply-delta", home / "shop/1", home / "shop/deltas/2", *out),
        ),
        "add": (
            *("index", home / "out", *first_day),
            *("--add", inputs / "day1/data/ads.parquet"),
        ),
        "remove": ("index", home / "out", "--remove", DOWN),
        "restore": ("export", whole / "first/out", *out, "--restore", DOWN),
        "calibrate": ("calibrate", home / "run"),
        "retrieve": ("train", *data, *settings("find"), *out),
        "distil": ("train", *data, *settings("distil"), *out),
        "index": (
            *(*export, "--retriever", whole / "retrieve/out"),
            *("--candidates", 10),
        ),
        "promote": (
            *("promote", home / "out", *data),
            *("--gates", inputs / "gates.yaml", "--rows", 50),
        ),
        "rollback": ("rollback", home / "out"),
        "monitor": (
            *("monitor", home / "out", "--window", 200),
            *("--requests", inputs / "requests.jsonl"),
            *("--prometheus", home / "m.prom", "--out", home / "m.html"),
        ),
        "replay": (
            *("replay", *first_day, *settings("run"), *out),
            *("--days", 0.05, "--epochs", 1),
        ),
        "tune": (
            *("tune", *data, *trials, "--space", inputs / "space.yaml", *out),
        ),
    }[name]
