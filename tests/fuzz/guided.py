"""Parsers under atheris, which looks for inputs that take new paths.

    python -m tests.fuzz.guided NAME -runs=10000

Ends with 0 where each input was read, or refused by an error of its parser.
"""

import json
import sys

import atheris

with atheris.instrument_imports(include=["tfadrec.core", "yaml"]):
    from tfadrec.core.config import RunConfig
    from tfadrec.core.errors import InputError
    from tfadrec.core.manifest import Manifest
    from tfadrec.core.read_json import parse_json
    from tfadrec.core.read_yaml import read_yaml
    from tfadrec.core.schema import Schema


def run_config(data):
    RunConfig.from_yaml(data)


def manifest(data):
    Manifest.from_json(data, "x")


#: What reads, and what it may raise.
PARSERS = {
    "yaml": (read_yaml, InputError),
    "run_config": (run_config, InputError),
    "json": (parse_json, ValueError),
    "manifest": (manifest, InputError),
    "schema": (Schema.from_json, InputError),
}


def main():
    parse, refused = PARSERS[sys.argv[1]]

    def read(data):
        try:
            parse(data)
        except refused as error:
            if "\n" in str(error) and refused is InputError:
                raise AssertionError(json.dumps(str(error))) from error

    atheris.Setup(sys.argv[:1] + sys.argv[2:], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
