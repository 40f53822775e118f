"""What is done with a folder of files that may hold anything.

Each call is named. It ends as a command does, with an exit code and the lines
on standard error; whatever else a call raises is a finding. Run as a program,
it reads names and folders from standard input, so that what ends the process is
told from what raises, and TensorFlow is imported once.
"""

import json
import pathlib
import resource
import sys
import time
import traceback

from click.testing import CliRunner

from tfadrec.cli import main
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.core.one_line import one_line
from tfadrec.runs.before import check_training


def prepare(folder):
    arguments = ["--config", f"{folder}/t.yaml", "--out", f"{folder}/out"]
    found = CliRunner().invoke(main, ["prepare", "table", *arguments])
    if not isinstance(found.exception, SystemExit | None):
        raise found.exception
    return found.exit_code, found.stderr.splitlines()


def settings(folder):
    """All that `train` checks before it begins."""
    config = RunConfig.from_yaml((folder / "run.yaml").read_bytes())
    check_training(folder / "data", config, folder / "new")


def dataset(folder):
    from tfadrec import data

    data.open_dataset(folder)


def space(folder):
    from tfadrec.core.config import read_sections
    from tfadrec.tuning.search_space import SearchSpace

    SearchSpace(read_sections((folder / "space.yaml").read_bytes()))


def run(folder):
    from tfadrec import training

    training.load_run(folder / "run", data=folder / "world")


def cross_encoder_run(folder):
    from tfadrec import training

    training.load_cross_encoder(folder / "run", data=folder / "world")


def language_model(folder):
    from tfadrec import data
    from tfadrec.layers.text.load_encoder import load_encoder

    tokenizer = data.Tokenizer.from_pretrained(folder, max_tokens=8)
    load_encoder(folder)
    tokenizer(["a b c", "", "x" * 100])


def tokenizer(folder):
    from tfadrec import data

    made = data.Tokenizer.from_pretrained(folder, max_tokens=8)
    made(["a b c", "", "x" * 100, "a" * 2000 + "1", " \n" * 500])


CALLS = {
    call.__name__: call
    for call in (
        *(prepare, settings, dataset, space, run, language_model),
        *(cross_encoder_run, tokenizer),
    )
}


def outcome(name, folder):
    """Exit code and lines of a call, as the command line would end with it."""
    try:
        found = CALLS[name](pathlib.Path(folder))
    except (TfadrecError, OSError) as error:
        code = 2 if isinstance(error, InputError) else 1
        return code, [one_line(str(error), 4000)]
    return found if isinstance(found, tuple) else (0, [])


def _serve():
    for line in sys.stdin:
        name, folder = json.loads(line)
        begun = time.process_time()
        try:
            code, lines = outcome(name, folder)
        except Exception as error:
            places = traceback.extract_tb(error.__traceback__)[-4:]
            where = [f"{each.filename}:{each.lineno}" for each in places]
            code = 3
            lines = [f"{type(error).__name__}: {error}"[:1000], *where]
        told = {
            "code": code,
            "lines": lines,
            "seconds": time.process_time() - begun,
            "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
        print(f"@{json.dumps(told)}", flush=True)


if __name__ == "__main__":
    _serve()
