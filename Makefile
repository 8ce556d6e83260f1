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
SOAK_EVENTS ?= 100000
SOAK_PRACTICES ?= 50
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE  # compiled modules halve the time of every start
unexport VIRTUAL_ENV  # whatever shell this is called from: the environment is ours

.PHONY: help install demo drill soak test coverage screens pictures lint audit sbom fuzz snapshot client fmt bench lock check-env check-files chromium clean

help:  ## This list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

install: $(INSTALLED)  ## Create .venv with everything, as locked in requirements/

demo: $(INSTALLED)  ## Both peers simulated, a demo practice, a day of traffic; Ctrl-C ends it
	@exec $(BIN)/labbridge demo $(DEMO)

test: lint chromium  ## Everything that CI runs: lint, then all tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS) < /dev/null

coverage: $(INSTALLED) chromium  ## All tests with branch coverage, and which lines and branches none of them reached
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term $(TESTS) < /dev/null

screens: $(INSTALLED) chromium  ## Pictures of every screen of the console, in screens/
	@rm -rf screens
	SCREENS=1 $(BIN)/python -m pytest -q tests/browser < /dev/null

pictures: $(INSTALLED) chromium  ## The pictures of docs/datapages.md and docs/recipes, made anew from the demo
	@$(BIN)/python -m pytest -q tests/browser/pictures.py < /dev/null

lint: $(INSTALLED) check-files  ## Style, types, layers, migrations
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	LABBRIDGE_DATA_DIR=$$(mktemp -d)
	export LABBRIDGE_DATA_DIR
	trap 'rm -rf "$$LABBRIDGE_DATA_DIR"' EXIT
	$(BIN)/labbridge manage makemigrations --check --dry-run
	$(BIN)/python -m tests.snapshot --check
	$(MAKE) audit sbom

audit: $(INSTALLED)  ## Known vulnerabilities in what the service is made of; what could not be looked up is said
	@$(BIN)/python -m tests.supply requirements/service.txt

sbom: build/sbom.cdx.json  ## Software bill of materials (CycloneDX) of the service, in build/
	@echo "$<: $$($(BIN)/python -c 'import json; print(len(json.load(open("$<"))["components"]), "components")')"

fuzz: $(INSTALLED)  ## Coverage-guided fuzzing of every reader, FUZZ_SECONDS each (60); `make test` runs a short form
	@$(BIN)/python -m tests.fuzz

snapshot: $(INSTALLED)  ## The tables as the migrations leave them, for a quick first start (database/snapshot.sql)
	@$(BIN)/python -m tests.snapshot

client: $(INSTALLED)  ## The Python client of the machine API, made anew from its OpenAPI document (clients/python/)
	@$(BIN)/python -m tests.handover.client

fmt: $(INSTALLED)  ## Format and mend what can be mended
	@$(BIN)/ruff check --fix-only --exit-zero --quiet .
	$(BIN)/ruff format .

drill: $(INSTALLED)  ## Destroy a practice, restore its backup, make it whole from the peers; prints the figures
	@$(BIN)/python -m pytest -q -s --no-header tests/backup/test_drill.py < /dev/null

soak: $(INSTALLED)  ## SOAK_EVENTS (100000) for SOAK_PRACTICES (50) with losses, kills and a storm; one sweep sets it right
	@$(BIN)/python -m tests.soak --events $(SOAK_EVENTS) --practices $(SOAK_PRACTICES) < /dev/null

bench: $(INSTALLED)  ## The measurements of docs/performance.md
	@$(BIN)/python -m bench $(BENCH)

lock: $(INSTALLED)  ## Compile requirements/ anew from pyproject.toml
	@compile() { $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' "$$@"; }
	compile pyproject.toml --output-file requirements/service.txt
	compile pyproject.toml --extra dev --output-file requirements/dev.txt
	echo uv | compile --constraint requirements/dev.txt - --output-file requirements/uv.txt

clean:  ## Remove what can be made again, the demo's state too
	rm -rf $(VENV) var/demo .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build screens

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

# Checking it against CycloneDX's schema is nine tenths of the work, so it is made anew only when it would be another.
build/sbom.cdx.json: requirements/service.txt pyproject.toml | $(INSTALLED)
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file $@ requirements/service.txt 2> /dev/null

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
