# Needs Python 3.11, make and git; everything else is installed into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := bot handlers knowledge grammars migrations tests bench

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo start test lint types layers check docs lock training-rows clean

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv with everything in it; run again after an interruption.

# An interrupted installation leaves .installing behind and starts over; finished downloads come from pip's cache.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Almanac needs Python 3.11 or newer: install it, or say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@if [ -e $(VENV)/.installing ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  $(PYTHON) -m venv --clear $(VENV); fi
	@touch $(VENV)/.installing
	$(BIN)/python -m pip install --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --editable . --group dev --constraint constraints.txt
	@mv $(VENV)/.installing $@

demo: setup ## The bot in a local workspace in the browser; ARGS='--knowledge DIR --port N --no-browser'.
	@$(BIN)/almanac demo $(ARGS)

start: setup ## The processes of the Procfile: release, bot and worker.
	@$(BIN)/honcho start

test: setup ## Run the tests, on up to four cores; ARGS='-k name' picks some.
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

lint: setup ## Ruff: every rule, and the format.
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

types: setup ## mypy --strict.
	@$(BIN)/mypy

layers: setup ## Each layer imports only what stands to its right.
	@$(BIN)/lint-imports --no-logo

check: lint types layers test ## All of the above.

docs: setup ## Write docs/cli.md anew from the commands' help.
	@$(BIN)/python -m bot.cli.reference > docs/cli.md.new && mv docs/cli.md.new docs/cli.md

lock: ## Try the newest versions: install them, run all tests, and write what passed into constraints.txt.
	@$(BIN)/python -m pip install --upgrade --upgrade-strategy eager --editable . --group dev
	@touch $(STAMP)
	@$(MAKE) --no-print-directory check
	@head -n 1 constraints.txt > constraints.new
	@$(BIN)/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' >> constraints.new
	@mv constraints.new constraints.txt && touch $(STAMP)

bench-%: setup ## Run bench/%.py and print its table; ARGS='…' are its arguments.
	@$(BIN)/python bench/$*.py $(ARGS)

CORPUS := grammars/tuning/corpus
ROWS := runs/rows
TRAINING := payments rivers archive lockers stations taxes hosting agency pipelines wards addons brokers \
  cluster grid insurer ministry relief studio tenants landbureau noc payroll city games
DEVELOPMENT := trams library

training-rows: $(foreach set,$(TRAINING) $(DEVELOPMENT),$(ROWS)/$(set).jsonl) ## What the model is trained on, into runs/rows.
	@cat $(TRAINING:%=$(ROWS)/%.jsonl) > $(ROWS)/documents-train.jsonl
	@cat $(DEVELOPMENT:%=$(ROWS)/%.jsonl) > $(ROWS)/documents-dev.jsonl
	@for part in train dev; do $(BIN)/python -m grammars.tuning.fields \
	  --cases $(CORPUS)/fields-$$part.jsonl --out $(ROWS)/fields-$$part.jsonl; done

# Each set is searched over its own pages alone.
$(ROWS)/%.jsonl: $(CORPUS)/%/questions.jsonl | setup
	@rm -rf $(ROWS)/$* && mkdir -p $(ROWS)/$*
	@export ALMANAC_HOME=$(ROWS)/$*/home DATABASE_URL= && \
	  $(BIN)/almanac sources add $(CORPUS)/$*/pages --name $* && $(BIN)/almanac reindex && \
	  $(BIN)/almanac search --batch $< --out $(ROWS)/$*/retrieved.jsonl
	@$(BIN)/python -m grammars.tuning.documents \
	  --questions $< --retrieved $(ROWS)/$*/retrieved.jsonl --out $@

clean: ## Remove .venv, caches and build outputs; ALMANAC_HOME stays.
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
