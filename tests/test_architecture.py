"""The map of the house: who may import whom, read from the source."""

import ast
import functools
import itertools
import pathlib
import re

import pytest

import tfadrec

ROOT = pathlib.Path(tfadrec.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

#: package -> the packages that it may import, besides itself.
MODELS = {"core", "ops", "layers", "losses", "metrics", "towers"}
TRAINING = MODELS | {"calibration", "data", "optimizers", "models", "runs"}
EVALUATION = {"calibration", "core", "ops", "data", "metrics", "models"}
MAY_IMPORT = {
    "core": set(),
    "deltas": {"core"},
    "native": {"core"},
    "runs": {"core", "data"},
    "ops": {"core"},
    "data": {"core", "ops"},
    "layers": {"core", "ops"},
    "losses": {"core", "ops"},
    "calibration": {"core", "ops", "data", "runs"},
    "metrics": {"core", "ops"},
    "retrieval": {"core", "ops"},
    "optimizers": {"core", "ops"},
    "towers": {"core", "ops", "layers"},
    "models": MODELS,
    "training": TRAINING,
    "tuning": {"core", "data", "models", "runs", "training", "evaluation"},
    "evaluation": EVALUATION,
    "diagnosis": {"core", "data", "explanation", "metrics", "models"}
    | {"monitoring", "native", "runs", "serving", "training", "tuning"},
    "monitoring": {"core", "data", "metrics"},
    "explanation": MODELS | EVALUATION | {"evaluation", "serving", "training"},
    "report": {"core", "data", "evaluation", "explanation", "metrics"}
    | {"training"},
    "serving": EVALUATION
    | {"layers", "towers", "evaluation", "native", "monitoring"}
    | {"retrieval"},
}
MAY_IMPORT["cli"] = set(MAY_IMPORT)

#: room of `data` -> the rooms and files of `data` that it may import, besides
#: itself; what stands in `data` itself may import its files, `encoded`,
#: `features` and `sources`.
DATA_ROOMS = {
    "features": {"columns"},
    "encoded": {
        "columns",
        "dataset_files",
        "event_log",
        "features",
        "impressions",
        "rate_table",
    },
    "intake": {"columns", "dataset_files", "encoded", "features", "files"},
    "sources": {"columns", "dataset_files", "features", "intake", "files"},
    "beam": {"copy", "intake", "sources"},
    "copy": {
        "catalogue",
        "dataset",
        "dataset_files",
        "files",
        "pipeline",
        "tokens",
    },
}

#: giant -> the places that may import it.
DOORS = {
    "tf_keras": ("core/door.py",),
    "keras": (),
    "transformers": ("layers/text/", "data/"),
    "tensorflow_recommenders": ("models/", "layers/interaction/"),
    "keras_tuner": ("tuning/",),
    "apache_beam": ("data/beam/",),
}

#: Files whose public classes are not one, named as the file.
OTHER_CLASSES = {
    "core/config.py": ["RunConfig"],
    "core/errors.py": [
        "TfadrecError",
        "InputError",
        "NotAllowedError",
        "NothingNewError",
    ],
    "data/intake/ledger.py": ["Count", "Ledger"],
    "data/sources/table_spec.py": [
        "ColumnSpec",
        "LabelSpec",
        "TableSpec",
        "TableConfig",
    ],
    "data/copy/lower_layers.py": ["LayeredEncoder"],
    "data/copy/text_vectors.py": ["TextEncoder"],
    "layers/multitask/mmoe.py": ["MMoE"],
    "layers/text/tuning/ways.py": ["TopLayers", "LoRA", "Adapter", "Prefix"],
    "models/base.py": ["RankingModel"],
    "native/library.py": ["Output", "Buffer", "Library"],
    "serving/ad_order.py": ["OrderSettings", "AdOrder"],
    "serving/change_ads.py": ["AdChanges"],
    "serving/user_vectors.py": ["Vectors", "TowerVectors", "RankerVectors"],
}


#: Places that parse JSON without `core/read_json.py`: rows of logs, answers and
#: requests, files of models (which have bounds of their own), a variable of the
#: environment, and what this process has written itself.
PARSERS = {
    "data/list_text.py",
    "data/intake/json_lines.py",
    "runs/task.py",
    "serving/preview/body.py",
    "serving/rest_transport.py",
    "training/version_1.py",
    "core/model_files.py",
    "core/safe_load.py",
    "core/save_model.py",
    "core/scratch_folder.py",
    "data/copy/graph_tokenizer.py",
    "data/copy/tokenizer.py",
    "layers/text/ad_encoder.py",
    "serving/native_check.py",
    "serving/parity.py",
    "tuning/oracles.py",
}

#: Places that put a file or a folder where another one is: those of the core
#: follow the links of what the user named, and the others are of caches and of
#: what a search keeps for itself.
REPLACERS = {
    "core/fetch.py",
    "core/owned_folder.py",
    "core/replace_file.py",
    "core/replace_page.py",
    "core/scratch_folder.py",
    "core/work_folder.py",
    "data/copy/text_vectors.py",
    "tuning/trial.py",
}


def place(file):
    return file.relative_to(ROOT).as_posix()


def package_of(file):
    parts = file.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else None


#: The files of each package are one test: a test of each would be thousands.
of_each_package = pytest.mark.parametrize(
    "files",
    [list(files) for _, files in itertools.groupby(FILES, package_of)],
    ids=lambda files: str(package_of(files[0])),
)


@functools.cache
def tree(file):
    return ast.parse(file.read_text("utf-8"))


@functools.cache
def nodes(file):
    return list(ast.walk(tree(file)))


def imports(file):
    """Every module that a file imports, also inside functions."""
    for node in nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(file)}: a relative import"
            # `from tfadrec import data` imports tfadrec.data.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_package_is_on_the_map():
    packages = {package_of(file) for file in FILES} - {None}
    assert packages <= set(MAY_IMPORT)


def imported(files):
    """Each file, and each module that it imports."""
    return [(file, module) for file in files for module in imports(file)]


@of_each_package
def test_imports_point_down(files):
    package = package_of(files[0])
    for file, module in imported(files):
        parts = module.split(".")
        if parts[0] != "tfadrec" or package is None:
            continue
        if parts[1:] == ["__version__"]:
            continue
        assert parts[1] in MAY_IMPORT[package] | {package}, (file, module)


def test_imports_point_down_between_the_rooms_of_data():
    rooms = {path.name for path in (ROOT / "data").iterdir() if path.is_dir()}
    for file, module in imported(f for f in FILES if package_of(f) == "data"):
        room = file.parent.name
        parts = module.split(".")
        if parts[:2] != ["tfadrec", "data"] or len(parts) < 3:
            continue
        if room in DATA_ROOMS:
            assert parts[2] in DATA_ROOMS[room] | {room}, (file, module)
        elif file.name != "__init__.py":
            below = {"encoded", "features", "sources"}
            assert parts[2] in below or parts[2] not in rooms, (file, module)


@of_each_package
def test_one_door_per_giant(files):
    for file, module in imported(files):
        giant, _, rest = module.partition(".")
        if giant in DOORS:
            allowed = DOORS[giant] or ("nowhere",)
            assert place(file).startswith(allowed), (file, module)
        is_keras = giant == "tensorflow" and rest.startswith("keras")
        assert not is_keras, (file, module)
    for file in files:
        for node in nodes(file):
            assert not (
                isinstance(node, ast.Attribute)
                and node.attr == "keras"
                and isinstance(node.value, ast.Name)
                and node.value.id == "tf"
            ), (file, "tf.keras")


def test_one_reader_of_yaml_and_one_of_json():
    """Both bound what a file may ask for."""
    parsed = {"yaml": set(), "json": set()}
    for file in FILES:
        for node in nodes(file):
            value = getattr(node, "value", None)
            if (
                isinstance(node, ast.Attribute)
                and getattr(value, "id", None) in parsed
                and "load" in node.attr.lower()
            ):
                parsed[value.id].add(place(file))
    assert parsed["yaml"] == {"core/read_yaml.py"}
    assert parsed["json"] <= {"core/read_json.py"} | PARSERS


@of_each_package
def test_one_public_class_per_file(files):
    for file in files:
        classes = [
            node.name
            for node in tree(file).body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ]
        if place(file) in OTHER_CLASSES:
            assert classes == OTHER_CLASSES[place(file)], file
            continue
        assert len(classes) <= 1, file
        if classes:
            snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", classes[0])
            snake = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", "_", snake)
            assert file.stem == snake.lower(), (file, classes[0])


def test_every_folder_says_what_it_is():
    for folder in {file.parent for file in FILES}:
        assert ast.get_docstring(tree(folder / "__init__.py")), folder


def test_the_list_of_other_classes_is_not_stale():
    assert set(OTHER_CLASSES) <= {place(file) for file in FILES}


#: What brings files into place or removes folders is in `core`, so that nothing
#: of others is ever replaced; and in these, whose folders are a cache, and a
#: trial's.
REPLACING = {"data/copy/text_vectors.py", "tuning/trial.py"}


@of_each_package
def test_one_rule_for_whose_files_are_replaced(files):
    for file in files:
        calls = {
            f"{node.value.id}.{node.attr}"
            for node in nodes(file)
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
        } & {"os.replace", "os.rename", "shutil.rmtree", "shutil.move"}
        if package_of(file) != "core" and place(file) not in REPLACING:
            assert not calls, file


def test_files_are_replaced_in_known_places():
    calls = ("os.replace(", "os.rename(", "shutil.move(")
    found = {
        place(file)
        for file in ROOT.rglob("*.py")
        if any(call in file.read_text("utf-8") for call in calls)
    }
    assert found == REPLACERS
