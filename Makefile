# Every task by name. `make` alone lists them.
# A fresh Debian 12 needs python3, python3-venv and make; `make test` wants Chromium too (installed when root).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.ONESHELL:
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE  # compiled modules halve the time of every start
unexport VIRTUAL_ENV  # whatever shell this is called from: the environment is ours

.PHONY: help install demo test lint fmt bench lock check-env check-files chromium clean

help:  ## This list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

install: $(INSTALLED)  ## Create .venv with everything, as locked in requirements/

demo: $(INSTALLED)  ## Both peers simulated, a demo practice, a day of traffic; Ctrl-C ends it
	@exec $(BIN)/labbridge demo $(DEMO)

test: lint chromium  ## Everything that CI runs: lint, then all tests with branch coverage
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report= $(TESTS) < /dev/null

lint: $(INSTALLED) check-files  ## Style, types, layers, migrations
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	LABBRIDGE_DATA_DIR=$$(mktemp -d)
	export LABBRIDGE_DATA_DIR
	trap 'rm -rf "$$LABBRIDGE_DATA_DIR"' EXIT
	$(BIN)/labbridge manage makemigrations --check --dry-run

fmt: $(INSTALLED)  ## Format and mend what can be mended
	@$(BIN)/ruff check --fix-only --exit-zero --quiet .
	$(BIN)/ruff format .

bench: $(INSTALLED)  ## The measurements of docs/performance.md
	@$(BIN)/python -m bench $(BENCH)

lock: $(INSTALLED)  ## Compile requirements/ anew from pyproject.toml
	@compile() { $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' "$$@"; }
	compile pyproject.toml --output-file requirements/service.txt
	compile pyproject.toml --extra dev --output-file requirements/dev.txt
	echo uv | compile --constraint requirements/dev.txt - --output-file requirements/uv.txt

clean:  ## Remove what can be made again, the demo's state too
	rm -rf $(VENV) var/demo .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache screens

# -- not for calling by hand ---------------------------------------------------------------------------------

$(INSTALLED): requirements/dev.txt requirements/uv.txt pyproject.toml
	@echo "Installing into $(VENV) ..."
	if [ ! -x $(BIN)/python ] || ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say which with PYTHON=..." >&2; exit 1; }
	  $(PYTHON) -m venv --clear $(VENV) > /dev/null || { rm -rf $(VENV); echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	fi
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/uv.txt < /dev/null
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q labbridge
	touch $@

# Nothing of this machine may stand in the repository: no home directory, no registry but PyPI's absence.
check-files:
	@found=$$(git grep -nIE '$(MACHINE)' -- . ':!Makefile' || true)
	if [ -n "$$found" ]; then echo "Paths of a machine or hosts of a registry in tracked files:" >&2; echo "$$found" >&2; exit 1; fi

MACHINE := (^|[^A-Za-z0-9_.])/(home|Users|root|work)/[A-Za-z0-9._-]+|--(extra-)?index-url|--find-links|(pypi|files)\.python(hosted)?\.org/(simple|packages)

chromium:
	@if ! command -v chromium > /dev/null; then
	  if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
	    echo "Installing Chromium for the browser tests ..."
	    export DEBIAN_FRONTEND=noninteractive
	    apt-get -qq update < /dev/null && apt-get -qq install --no-install-recommends chromium fonts-dejavu-core < /dev/null > /dev/null
	  else
	    echo "Chromium is missing, so the browser tests will fail: apt-get install chromium fonts-dejavu-core" >&2
	  fi
	fi
