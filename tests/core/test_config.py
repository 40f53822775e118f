"""Settings as YAML."""

import pytest

from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError

SECTIONS = list(RunConfig().sections())


def test_defaults():
    for text in ("", "{}", "# nothing\n"):
        assert RunConfig.from_yaml(text) == RunConfig()
    config = RunConfig()
    assert config.text == {"model": "minilm"}
    assert config.encoder == {"class": "DIN"}
    assert config.matching == {"class": "AttentionMatching"}
    assert config.optimizer == {"class": "LazyAdam"}
    assert config.fit == config.data == config.ranker == {}
    assert config.interaction is config.multitask is None


def test_round_trip():
    config = RunConfig(
        text=None,
        ad_tower={"width": 8, "use_id": False},
        encoder={"class": "LSTM"},
        matching=None,
        multitask={"class": "MMoE", "num_experts": 2},
        ranker={"hidden_units": [8, 4], "dropout": 0.5},
        optimizer={"class": "Adagrad", "learning_rate": 1e-05},
        fit={"monitor": "val_gauc"},
    )
    assert RunConfig.from_yaml(config.to_yaml()) == config
    assert RunConfig.from_yaml(RunConfig().to_yaml()) == RunConfig()


def test_a_retriever():
    """It has an encoder of its own and lacks what only a ranker has."""
    config = RunConfig.from_yaml("model: retriever\nfit: {epochs: 3}\n")
    assert config.model == "retriever"
    assert config.optimizer == {"class": "LazyAdam", "learning_rate": 0.004}
    own = "model: retriever\noptimizer: {class: Adam}\n"
    assert RunConfig.from_yaml(own).optimizer == {"class": "Adam"}
    assert config.retriever == {}
    assert "\nretriever: " not in config.to_yaml()
    own = RunConfig.from_yaml("model: retriever\nretriever: {interests: 3}\n")
    assert own.retriever == {"interests": 3}
    assert RunConfig.from_yaml(own.to_yaml()) == own
    distilled = RunConfig.from_yaml("model: retriever\ndistil: runs/a\n")
    assert distilled.optimizer == config.optimizer
    assert config.encoder == {"class": "GRU"}
    assert config.matching is config.text_matching is None
    assert RunConfig.from_yaml(config.to_yaml()) == config
    assert "model" not in RunConfig().to_yaml().replace("model: minilm", "")
    for text, message in (
        (
            "model: retriver",
            "retriever, cross_encoder. Received: model='retriver'",
        ),
        ("model: retriever\nranker: {tasks: [clicked]}", "section 'ranker'"),
        ("retriever: {interests: 2}", "a ranker has no section 'retriever'"),
        ("model: retriever\ncalibration: {field: x}", "no section 'calibrat"),
    ):
        with pytest.raises(InputError, match=message):
            RunConfig.from_yaml(text)


def test_a_cross_encoder():
    """It has a language model that is tuned, and none of a ranker's parts."""
    config = RunConfig.from_yaml("model: cross_encoder\nfit: {epochs: 2}\n")
    assert config.text["tuning"] == {"class": "top_layers", "k": 2}
    assert config.cross_encoder == {}
    assert config.matching is config.text_matching is config.fold_in is None
    assert RunConfig.from_yaml(config.to_yaml()) == config
    assert "cross_encoder" not in RunConfig().to_yaml()
    for text, message in (
        ("cross_encoder: {num_events: 3}", "a ranker has no section"),
        ("model: cross_encoder\nencoder: {class: DIN}", "no section 'encoder'"),
        ("model: cross_encoder\ndistil: runs/a", "of a ranker or a retriever"),
        ("distil: [runs/a]", "`distil` must be the folder of a run"),
    ):
        with pytest.raises(InputError, match=message):
            RunConfig.from_yaml(text)


def test_a_ranker_that_imitates():
    config = RunConfig.from_yaml("distil: runs/a\n")
    assert (config.model, config.distil) == ("ranker", "runs/a")
    assert RunConfig.from_yaml(config.to_yaml()) == config
    assert config.sections() == RunConfig().sections()


def test_sections_are_taken_over():
    config = RunConfig.from_yaml("fit: {epochs: 3}\ntext:\nmatching: null\n")
    assert config.fit == {"epochs": 3}
    assert config.text is None
    assert config.matching is None
    assert config.data == {}


def test_bytes_are_utf8():
    text = "text: {model: ærøskøbing}"
    assert RunConfig.from_yaml(text.encode()) == RunConfig.from_yaml(text)


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-3", 0.001), ("1E3", 1000.0), ("-2e+1", -20.0), ("1.5e2", 150.0)],
)
def test_a_number_may_be_written_with_an_exponent(written, value):
    config = RunConfig.from_yaml(f"optimizer: {{learning_rate: {written}}}")
    assert config.optimizer == {"learning_rate": value}


@pytest.mark.parametrize("name", ["minilm", "2e", "e5", "all-e5-small"])
def test_a_name_stays_a_name(name):
    assert RunConfig.from_yaml(f"text: {{model: {name}}}").text["model"] == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fit: {epochs: 3", "a config must be YAML. Received: .*line 1"),
        ("a: b: c", "a config must be YAML"),
        ("fit: {seed: 1, seed: 2}", "Received: the key 'seed' twice .*line 1"),
        (b"text: {model: \xff}", "a config must be YAML"),
        ("- fit\n- data", "a config must be sections.* Received: list"),
        ("3", "a config must be sections.* Received: int"),
        (
            "fits: {epochs: 3}",
            "has the sections text, .*track. Received: 'fits'",
        ),
        ("1: {epochs: 3}", "has the sections .* Received: 1"),
        ("fit: 3", "the section 'fit' must hold .* Received: 3"),
        ("text: minilm", "the section 'text' must hold .* Received: 'minilm'"),
        ("text: false", "the section 'text' must hold .* Received: False"),
        ("ranker: [a]", r"the section 'ranker' must hold .* Received: \['a'\]"),
    ],
)
def test_bad_texts(text, message):
    with pytest.raises(InputError, match=message) as error:
        RunConfig.from_yaml(text)
    assert "\n" not in str(error.value)


OPTIONAL = {
    "text",
    "matching",
    "interaction",
    "multitask",
    "text_matching",
    "calibration",
    "fairness",
    "fold_in",
    "track",
}


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_null_leaves_a_piece_out(name):
    assert getattr(RunConfig.from_yaml(f"{name}: null"), name) is None


@pytest.mark.parametrize("name", sorted({*SECTIONS} - OPTIONAL))
def test_null_is_for_what_can_be_left_out(name):
    with pytest.raises(InputError, match=f"{name!r} must hold .*: None"):
        RunConfig.from_yaml(f"{name}: null")
