# make demo · make test · make lint · make bench: each sets up all that it needs, on a machine with Python 3.11, 3.12 or 3.13.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := core toolkit automation $(sort $(wildcard integrations/*))
SOURCES := $(wildcard core/src/* toolkit/src/* automation/src/* integrations/*/src/* examples/*/src/* docs/*.py)
export UV_PYTHON_DOWNLOADS := never
# A certificate authority of one's own is one that the system knows.
export UV_SYSTEM_CERTS := 1
# Hundreds of short processes import the same modules: compiled once, they start in a third of the time.
unexport PYTHONDONTWRITEBYTECODE

# uv from the PATH, else one of our own in .uv/.
UV := $(shell command -v uv || echo $(CURDIR)/.uv/bin/uv)
export UV

.PHONY: help setup demo test suite lint fix docs types conformance campaign bench lock clean

help: ## Say what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.ready

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "assetry runs on Python 3.11 to 3.13, and $(PYTHON) is not one of them: name another, as in make demo PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) cannot make environments: on Debian, apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

# The lock has every version and hash; the members themselves are installed editable, without looking further.
$(VENV)/.ready: requirements.lock pyproject.toml $(wildcard core/pyproject.toml toolkit/pyproject.toml automation/pyproject.toml integrations/*/pyproject.toml) | $(filter %/.uv/bin/uv,$(UV))
	[ -x $(BIN)/python ] || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --python $(BIN)/python requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps $(MEMBERS:%=--editable ./%)
	touch $@

$(CURDIR)/.uv/bin/uv: .uv/bin/uv

demo: setup ## Run the example: its graph, the plan, the streamed run, and what is fresh
	$(BIN)/assetry -C examples/shop graph
	$(BIN)/assetry -C examples/shop plan
	$(BIN)/assetry -C examples/shop materialize
	$(BIN)/assetry -C examples/shop status

# Every dbt that is supported runs in an environment of its own, beside the lock, which has the newest; the lock's DuckDB
# is in all of them, because they open one another's files. dbt 1.8 and 1.9 know no Python 3.13.
DBTS := $(shell $(PYTHON) -c 'import sys; print("1.8 1.9 1.10" if sys.version_info < (3, 13) else "1.10")')
OLDEST_DBT := $(firstword $(DBTS))
.dbt/%/.ready: | $(filter %/.uv/bin/uv,$(UV))
	$(UV) venv --quiet --clear --python $(PYTHON) .dbt/$*
	@# A machine that has no registry now may have the lock's packages all the same: then these tests are skipped.
	$(UV) pip install --quiet --python .dbt/$*/bin/python "dbt-core~=$*.0" "dbt-duckdb~=$*.0" \
		"$(shell sed -n 's/^\(duckdb==[0-9.]*\).*/\1/p' requirements.lock)" \
		&& touch $@ || echo "dbt $* could not be installed: the tests with it are skipped"

test: setup ## Run every test and the lint
	$(MAKE) --no-print-directory --jobs=2 lint suite

# The order of the files is that of tests/conftest.py. Tests wait for their tools a good part of the time, so that three
# workers keep two cores busy.
suite: setup .dbt/$(OLDEST_DBT)/.ready
	ASSETRY_DBTS=$(OLDEST_DBT) $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: setup ## Check format, style and types
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/cog --check --verbosity=0 --check-fail-msg='Run `make docs`.' docs/*.md

fix: setup ## Format, and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## Write anew what the documentation says of the code
	$(BIN)/cog -r --verbosity=1 docs/*.md

types: setup ## Write anew the tables of docs/types.md, by trying every cell of them
	ASSETRY_WRITE_TYPES=1 $(BIN)/python -m pytest -q tests/e2e/test_types.py

conformance: setup ## Write anew the table of docs/conformance.md, by running the kit over the bad plugins
	ASSETRY_WRITE_CONFORMANCE=1 $(BIN)/python -m pytest -q tests/conformance/test_kit.py

SEEDS ?= 1-100
ITERATIONS ?= 1-200
HISTORIES ?= 10000
EXAMPLES ?= 20
WORLDS ?= 1-10000

campaign: setup $(DBTS:%=.dbt/%/.ready) ## Kill runs of every tool at random moments (SEEDS, 1-100), let all kinds of faults befall commands (ITERATIONS, 1-200), judge random histories (HISTORIES, 10000), let automation go through random worlds (WORLDS, 1-10000), try properties with many examples (EXAMPLES, 20 times those of the tests), run every dbt
	ASSETRY_DBTS="$(DBTS)" $(BIN)/python -m pytest -n 2 tests/dbt/test_versions.py
	ASSETRY_HISTORIES=$(HISTORIES) $(BIN)/python -m pytest --timeout 0 tests/core/status/partitions/test_judge.py
	ASSETRY_WORLDS=$(WORLDS) $(BIN)/python -m pytest -n 2 --timeout 0 tests/automation/simulated
	ASSETRY_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n 2 --timeout 0 $$(grep -rl 'from tests.examples' tests --include='test_*.py')
	ASSETRY_SEEDS=$(SEEDS) $(BIN)/python -m pytest -n 2 tests/e2e/test_syncs.py -k seed
	$(BIN)/python -m tests.e2e.campaign $(ITERATIONS)

bench: setup ## Measure, and print CPU seconds and ratios
	$(BIN)/python -m tests.bench

lock: ## Resolve the newest allowed versions into requirements.lock
	$(UV) lock --quiet --upgrade
	$(UV) export --quiet --all-packages --no-emit-workspace --group dev --no-header --no-annotate \
		--format requirements-txt --output-file requirements.lock

clean: ## Remove what was made here
	rm -rf $(VENV) .uv .dbt .mypy_cache .pytest_cache .ruff_cache .hypothesis
