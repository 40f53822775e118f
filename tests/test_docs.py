"""What stands in blocks of the README and of docs/ is there, as it is named."""

import ast
import importlib
import pathlib
import re
import shlex

import click
import pytest
import yaml

import tfadrec
from tfadrec.cli import main
from tfadrec.core.config import RunConfig

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, kind):
    text = page.read_text("utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def all_of(kind):
    return [
        pytest.param(block, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, kind), 1)
    ]


def commands():
    """Every call of `tfadrec` in a block, fenced or indented."""
    for page in PAGES:
        text = page.read_text("utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            if re.match(r"(    )?tfadrec ", line):
                yield pytest.param(line.strip(), id=f"{page.stem}: {line[:40]}")


def test_there_are_blocks():
    assert len(all_of("python")) >= 8
    assert len(all_of("yaml")) >= 12
    assert len(list(commands())) >= 30


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_can_be_called(line):
    _, *words = shlex.split(line, comments=True)
    words = [word for word in words if word != "&"]
    command = main
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(click.Context, "exit", lambda *_: None)  # --help
        while isinstance(command, click.Group) and words[0] != "--help":
            command = command.commands[words.pop(0)]
        # As in the group: a command keeps what its help option is called.
        command.make_context(command.name, list(words), **main.context_settings)
    for word in words:
        if word.startswith("examples/"):
            assert (ROOT / word).is_file()


@pytest.mark.parametrize("block", all_of("yaml"))
def test_yaml_can_be_read(block):
    assert isinstance(yaml.safe_load(block), dict | list)


@pytest.mark.parametrize("block", blocks(ROOT / "docs" / "training.md", "yaml"))
def test_settings_of_a_run_are_known(block):
    assert RunConfig.from_yaml(block) != RunConfig()


@pytest.mark.parametrize("block", all_of("python"))
def test_every_name_of_the_package_is_there(block):
    tree = ast.parse(block)
    packages = [name for name in tfadrec.__all__ if name[0] != "_"]
    known = {name: getattr(tfadrec, name) for name in packages}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and "tfadrec" in node.module:
            for alias in node.names:
                try:
                    found = importlib.import_module(
                        f"{node.module}.{alias.name}"
                    )
                except ModuleNotFoundError:
                    module = importlib.import_module(node.module)
                    found = getattr(module, alias.name)
                known[alias.asname or alias.name] = found
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = known.get(node.value.id)
            assert owner is None or hasattr(owner, node.attr), ast.unparse(node)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)#]+)", prose):
        if "://" not in link:
            assert (page.parent / link).exists(), link
