# make demo: adapt printed to handwritten digits.   make test: the test suite.
# make docs: the pages of docs/ as a site, in site/.
# All make a virtual environment first. Other interpreter or place: make demo PYTHON=python3.12 VENV=/tmp/venv

PYTHON ?= python3
VENV ?= .venv

.PHONY: demo test lint docs

demo: $(VENV)/.installed
	$(VENV)/bin/python -m launch.transductive

test: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest
	XLA_FLAGS= $(VENV)/bin/python -m pytest -m exact

lint: $(VENV)/.installed-test
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

docs: $(VENV)/.installed-docs
	$(VENV)/bin/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict

$(VENV)/.installed: pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q -e '.[test]'
	touch $@

$(VENV)/.installed-docs: pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q -e '.[docs]'
	touch $@
