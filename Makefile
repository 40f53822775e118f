PYTHON ?= python3
BIN := .venv/bin

help:           ## show this list
	@sed -n 's/^\([a-z-]*\):.*##/\1:/p' Makefile

quickstart: .venv/installed  ## the main job on real data, in minutes
	$(BIN)/tfadrec quickstart

test: .venv/installed        ## the tests, in minutes
	$(BIN)/python -m pytest -n 2

test-all: .venv/installed    ## the slow tests and those that download, too
	$(BIN)/python -m pytest -m ""

lint: .venv/installed        ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed      ## mend what can be mended of the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/installed        ## check that examples in docstrings run
	$(BIN)/python -m pytest --doctest-modules tfadrec

bench: .venv/installed       ## the benchmarks, which print what they measure
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python benchmarks/synthetic.py
	$(BIN)/python benchmarks/embedding.py
	$(BIN)/pip install -q --no-deps deepctr==0.9.4
	$(BIN)/python benchmarks/behavior.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/serving.py load

clean:          ## remove the environment and what was built
	rm -rf .venv build dist *.egg-info

.venv/installed: setup.cfg setup.py pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -U pip
	$(BIN)/pip install -q -e '.[dev]'
	touch $@

.PHONY: help quickstart test test-all lint format docs bench clean
