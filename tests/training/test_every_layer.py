"""Every layer that a setting can name trains in a ranker."""

import itertools
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from tests.training import small
from tfadrec import training
from tfadrec.cli import main
from tfadrec.core.config import RunConfig
from tfadrec.data import open_dataset
from tfadrec.runs.sections import classes_of

SECTIONS = ("matching", "interaction", "multitask")
#: Settings that make weights, or fit vectors of four.
SETTINGS = {
    "AttentionMatching": [{}, {"projection": 3, "num_heads": 2}],
    "FinalMLP": [{"hidden_units": [4, 4]}],
    "MMoE": [{"hidden_units": [4]}],
    "PLE": [{"hidden_units": [4]}],
}
CHOICES = {
    section: [
        {"class": name, **settings}
        for name in classes_of(section)
        for settings in SETTINGS.get(name, [{}])
    ]
    for section in SECTIONS
}
ALONE = [
    {section: choice} for section in SECTIONS for choice in CHOICES[section]
]
_COUNT = max(map(len, CHOICES.values()))
#: As few rankers as it takes for each choice to be in one of them.
MIXED = [
    dict(zip(SECTIONS, chosen, strict=True))
    for chosen in itertools.islice(
        zip(*map(itertools.cycle, CHOICES.values()), strict=False), _COUNT
    )
]


def config(sections):
    """The settings of a small ranker of two tasks."""
    base = small.config(
        ad_tower={"category": "category"},
        ranker={"tasks": ["clicked", "converted"]},
        fit={"epochs": 1, "steps_per_epoch": 2},
    )
    return RunConfig(**{**vars(base), **sections})


def named(sections):
    return "-".join(choice["class"] for choice in sections.values())


def test_all_are_tried():
    """And whatever is added to a package, which is why there are lists."""
    for section, choices in CHOICES.items():
        tried = [sections[section] for sections in MIXED]
        assert all(choice in tried for choice in choices)
        assert {c["class"] for c in choices} == set(classes_of(section))


@pytest.mark.parametrize("sections", MIXED, ids=named)
def test_trains_a_step_and_is_saved(sections, tmp_path):
    dataset = open_dataset(small.world()).with_history_length(6)
    ranker = training.build_ranker(config(sections), dataset)
    batch = next(iter(dataset.batches(8, seed=0)))
    before = [v.numpy() for v in ranker.trainable_variables]
    ranker.run_eagerly = True  # to trace it takes longer
    logs = ranker.train_on_batch(*batch, return_dict=True)
    assert np.isfinite(logs["loss"])
    for was, variable in zip(before, ranker.trainable_variables, strict=True):
        if variable.name.startswith(("ad_ranker/matching", "ad_ranker/int")):
            assert np.any(was != variable.numpy()), variable.name
    ranker.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        saved = file.read("config.json").decode()
    for choice in sections.values():
        assert f"tfadrec>{choice['class']}" in saved


@pytest.mark.slow
@pytest.mark.parametrize("sections", ALONE, ids=named)
def test_trains_and_exports_by_command(sections, tmp_path):
    settings = tmp_path / "config.yaml"
    settings.write_text(config(sections).to_yaml())
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    for arguments in (
        ["train", "--data", small.world(), "--config", settings, "--out", run],
        ["export", run, "--out", bundle],
    ):
        done = CliRunner().invoke(main, list(map(str, arguments)))
        assert done.exit_code == 0, done.output
    assert (bundle / "1/parity.json").is_file()
