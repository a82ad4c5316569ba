# The commands of tradelift. Each makes its own environment in .venv: with uv where it is present, else with
# plain Python and pip.

PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell command -v $(p) >/dev/null 2>&1 && $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(p))))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ENGINES := $(VENV)/.engines
AUDIT := $(VENV)/.audit
PEERS := .venv-bench
AXE := tests/browser/node_modules/axe-core/axe.min.js
LOOPS := $(addprefix src/tradelift/,solve/kernel.c solve/sums.c solve/stars.c solve/loops.h panel/rows.c log/groups.c)
DEMO ?= demo

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types imports unit simulations engines latex browser wheel docs bench audit format clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt setup.py $(LOOPS)
	@test -n "$(PYTHON)" || { echo "tradelift needs Python 3.11 or later; none was found." >&2; exit 1; }
	@if command -v uv >/dev/null 2>&1; then \
		{ test -x $(BIN)/python || uv venv -q --python $(PYTHON) $(VENV); } && \
		uv pip install -q --python $(BIN)/python -c constraints.txt -e . --group dev; \
	else \
		{ test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { echo "Python cannot make an environment; on Debian: apt-get install python3-venv" >&2; exit 1; }; } && \
		$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --upgrade pip && \
		$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e . --group dev; \
	fi
	@touch $(READY)

demo: $(READY)  ## simulate the East-West world, run the whole study, say where the report is
	$(BIN)/tradelift demo --out $(DEMO)

test: lint types imports unit  ## lint, types, import contract, unit tests

check: test audit simulations engines latex docs wheel browser  ## everything that a change must pass

lint: $(READY)  ## ruff
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

imports: $(READY)  ## rooms import downward only
	$(BIN)/lint-imports

unit: $(READY)  ## unit tests
	$(BIN)/pytest -q -m "not slow and not browser and not latex and not spark and not postgresql" -n 2

simulations: $(READY)  ## simulations with known truth, fewer draws than the committed tables
	$(BIN)/pytest -q -m slow

$(ENGINES): $(READY)
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install -q --python $(BIN)/python -c constraints.txt --group engines; \
	else \
		$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group engines; \
	fi
	@touch $(ENGINES)

engines: $(ENGINES)  ## Spark, Sail and PostgreSQL (Debian: apt-get install openjdk-17-jre-headless postgresql)
	$(BIN)/pytest -q -m "spark or postgresql" -p no:unraisableexception

latex: $(READY)  ## compile every table (Debian: apt-get install texlive-latex-recommended lmodern)
	$(BIN)/pytest -q -m latex

$(AXE): tests/browser/package.json
	@command -v npm >/dev/null 2>&1 || { echo "The browser tests need npm; on Debian: apt-get install npm" >&2; exit 1; }
	@npm install --prefix tests/browser --no-audit --no-fund --no-package-lock --silent
	@touch $(AXE)

browser: $(READY) $(AXE)  ## open the report in Chromium, and ask axe-core (Debian: apt-get install chromium npm)
	$(BIN)/pytest -q -m browser

wheel: $(READY)  ## build, install into a fresh environment, and use it there (PYTHONS: with which)
	$(BIN)/python scripts/fresh_install.py $(PYTHONS)

docs: $(READY)  ## build the pages and the reference into site/; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs site

$(PEERS)/.ready: pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		{ test -x $(PEERS)/bin/python || uv venv -q --python $(PYTHON) $(PEERS); } && \
		uv pip install -q --python $(PEERS)/bin/python --group bench; \
	else \
		{ test -x $(PEERS)/bin/pip || $(PYTHON) -m venv $(PEERS); } && \
		$(PEERS)/bin/python -m pip install -q --disable-pip-version-check --upgrade pip && \
		$(PEERS)/bin/python -m pip install -q --disable-pip-version-check --group bench; \
	fi
	@touch $@

bench: $(READY) $(PEERS)/.ready  ## tradelift beside other packages, seven minutes on a quiet machine
	$(BIN)/python benchmarks/run.py

$(AUDIT): $(READY)
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install -q --python $(BIN)/python -c constraints.txt --group audit; \
	else \
		$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group audit; \
	fi
	@touch $(AUDIT)

audit: $(AUDIT)  ## known vulnerabilities of the pinned dependencies; says whether a database of advisories was reached
	$(BIN)/python scripts/audit.py

format: $(READY)  ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## remove the environment and caches
	rm -rf $(VENV) $(PEERS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
