# `make` says what there is. Every target makes the virtual environment it needs, once, and again when the
# compiled requirements change; likewise npm's packages, which only what concerns the browser needs.

VENV ?= .venv
SUPERSET_VENV ?= .venv-superset
OLDER_ENGINE ?= .older-clickhouse
BUILD := build

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
# Bytecode is kept even if the environment forbids it: each of the many processes of a suite would compile the package.
unexport PYTHONDONTWRITEBYTECODE

# The first Python that runs, is new enough and can make virtual environments; override with PYTHON=...
ifndef PYTHON
PYTHON := $(shell for python in python3.11 python3.12 python3 python3.13; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
endif

BIN := $(VENV)/bin
RUN := $(BIN)/python
PIP := $(RUN) -m pip -qq --disable-pip-version-check --no-input

PACKAGE := platform_plugin_aspects
SOURCES := $(shell find $(PACKAGE) -type f -not -name '*.pyc' -not -path '*/tests/*')
STATIC := $(PACKAGE)/static/$(PACKAGE)
BUNDLE := $(STATIC)/dist/aspects-dashboards.js
NPM := node_modules/.package-lock.json
PROSE := README.rst CONTRIBUTING.rst Makefile setup.py docs test_utils benchmarks $(PACKAGE)
PACKAGING := setup.py MANIFEST.in README.rst CHANGELOG.rst LICENSE pyproject.toml requirements/base.in

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.test $(if $(findstring --serve,$(ARGS)),$(BUNDLE)) ## Show what arrives in ClickHouse (ARGS=--serve: its pages)
	@$(RUN) -m test_utils.demo $(ARGS)

.PHONY: show
show: $(VENV)/.test $(SUPERSET_VENV)/.ready $(BUNDLE) ## Show the boards: a whole site on this machine with a class of 100 learners, until Ctrl-C
	@SUPERSET_VENV="$(abspath $(SUPERSET_VENV))" $(RUN) -m test_utils.show $(ARGS)

.PHONY: test
test: $(VENV)/.test $(BUNDLE) ## Run the tests, JavaScript's first (EXAMPLES=2000: of each property test)
	@npm test --silent
	@$(RUN) -m pytest -n auto $(ARGS)

.PHONY: coverage
coverage: $(VENV)/.test $(BUNDLE) ## Run Python's tests with coverage, which must be 95 % at least
	@$(RUN) -m pytest -n auto --cov --cov-report=term $(ARGS)

.PHONY: bundle
bundle: $(BUNDLE) ## Build the browser's part, with Superset's embedding SDK inside
$(BUNDLE): build.mjs $(wildcard $(STATIC)/js/*.js) $(NPM)
	@npm run --silent build

.PHONY: services
services: $(VENV)/.test $(BUNDLE) ## Run the suite with MariaDB, Redis and Celery workers: delivery, how-tos, load tests (installs from apt)
	@PATH="$(abspath $(BIN)):$$PATH" test_utils/services/run.sh

.PHONY: e2e
e2e: $(VENV)/.e2e $(SUPERSET_VENV)/.ready $(BUNDLE) ## Run the suite with Superset and Chromium (installs from apt; ARGS=--wait only starts)
	@PATH="$(abspath $(BIN)):$$PATH" SUPERSET_VENV="$(abspath $(SUPERSET_VENV))" test_utils/e2e/run.sh $(ARGS)

.PHONY: screenshots
screenshots: $(VENV)/.e2e $(SUPERSET_VENV)/.ready $(BUNDLE) ## Take the pictures of README and documentation anew
	@PATH="$(abspath $(BIN)):$$PATH" SUPERSET_VENV="$(abspath $(SUPERSET_VENV))" test_utils/e2e/run.sh --pictures

.PHONY: older-clickhouse
older-clickhouse: $(VENV)/.test $(OLDER_ENGINE)/.ready ## Run tests of the reports on ClickHouse 24.8, the oldest release that they support
	@PYTHONPATH=$(OLDER_ENGINE) $(RUN) -m pytest -p test_utils.older_clickhouse $(addprefix \
	  $(PACKAGE)/tests/reporting/test_, $(addsuffix .py, hostile_statements known_answers rare_charts rare_numbers relations run_comparison))

.PHONY: benchmark
benchmark: $(VENV)/.test ## Measure the backfill (ARGS="--mariadb --number 100000 1000000")
	@$(RUN) benchmarks/backfill.py $(ARGS)

.PHONY: benchmark-events
benchmark-events: $(VENV)/.test ## Measure learning events (ARGS=--peer: beside today's chain; needs what `make services` installs)
	@$(RUN) -m benchmarks.events $(ARGS)

.PHONY: benchmark-reporting
benchmark-reporting: $(VENV)/.test ## Measure the reports at 10,000,000 statements (ARGS="--statements 2000000" for fewer)
	@$(RUN) -m benchmarks.reporting $(ARGS)

.PHONY: benchmark-boards
benchmark-boards: $(VENV)/.e2e $(SUPERSET_VENV)/.ready $(BUNDLE) ## Measure the boards in Superset and Chromium at 1,000,000 statements
	@PATH="$(abspath $(BIN)):$$PATH" SUPERSET_VENV="$(abspath $(SUPERSET_VENV))" test_utils/e2e/run.sh --benchmark $(ARGS)

.PHONY: benchmark-tokens
benchmark-tokens: $(VENV)/.test ## Measure guest tokens of a running Superset (ARGS=--help)
	@$(RUN) benchmarks/guest_token.py $(ARGS)

.PHONY: quality
quality: lint types imports words migrations texts annotations pins wheel ## Check style, types, imports, prose, migrations, texts, annotations, pins and the wheel

.PHONY: lint
lint: $(VENV)/.dev $(NPM) ## Run ruff, eslint and prettier (lint and format)
	@npm run --silent lint
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check .; exit 1; }

.PHONY: types
types: $(VENV)/.dev ## Run mypy on the package
	@$(BIN)/mypy

.PHONY: imports
imports: $(VENV)/.dev ## Check that rooms import each other from the top down only
	@$(BIN)/lint-imports >$(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }

.PHONY: words
words: $(VENV)/.dev ## Check prose for phrases that make it hard to read
	@$(RUN) test_utils/checks/words.py $(PROSE)

.PHONY: migrations
migrations: $(VENV)/.dev ## Check that no migration is missing
	@data=$$(mktemp -d); trap 'rm -rf "$$data"' EXIT; \
	for variant in lms cms; do \
	  STANDIN_DATA_DIR="$$data" $(RUN) manage.py $$variant makemigrations --check --dry-run $(PACKAGE); \
	done

.PHONY: texts
texts: $(VENV)/.dev ## Check that READMEs, CONTRIBUTING and changelog parse without Sphinx, as registries and repositories show them
	@for text in README.rst CONTRIBUTING.rst CHANGELOG.rst test_utils/README.rst; do $(BIN)/docutils --strict --quiet "$$text" >/dev/null; done

.PHONY: annotations
annotations: $(VENV)/.dev ## Check the annotations of models (personal data), settings and flags
	@check() { $(BIN)/code_annotations "$$@" --lint >$(VENV)/annotations.log || { cat $(VENV)/annotations.log; exit 1; }; }; \
	for kind in setting feature_toggle; do \
	  check static_find_annotations --no_report --source_path $(PACKAGE) \
	    --config_file $(VENV)/lib/python*/site-packages/code_annotations/contrib/config/$${kind}_annotations.yaml; \
	done; \
	PYTHONPATH=.:test_utils/edx_platform DJANGO_SETTINGS_MODULE=cms.envs.test \
	  check django_find_annotations --coverage --config_file .pii_annotations.yml --app_name $(PACKAGE)

.PHONY: docs
docs: $(VENV)/.dev ## Build the documentation into docs/_build/html; a warning is an error
	@$(RUN) -m sphinx --fail-on-warning --keep-going --nitpicky --fresh-env --quiet --jobs auto --builder html docs docs/_build/html

.PHONY: pins
pins: $(VENV)/.pins ## Check that the base requirements resolve with edx-platform's pins
$(VENV)/.pins: requirements/base.in requirements/edx-platform-pins.txt test_utils/checks/pins.py | $(VENV)/.dev
	@$(RUN) test_utils/checks/pins.py requirements/base.in requirements/edx-platform-pins.txt
	@touch $@

.PHONY: wheel
wheel: $(VENV)/.wheel ## Build sdist and wheel, check what they hold, load the wheel in an empty environment
$(VENV)/.wheel: $(SOURCES) $(BUNDLE) $(PACKAGING) test_utils/checks/wheel.py test_utils/checks/plugin_host.py | $(VENV)/.dev
	@# SOURCES.txt too: setuptools would pack what an earlier MANIFEST.in named.
	@rm -rf $(BUILD) dist *.egg-info/SOURCES.txt
	@$(RUN) -m build --no-isolation --outdir dist . >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log; exit 1; }
	@$(RUN) test_utils/checks/wheel.py dist
	@touch $@

.PHONY: translations
translations: $(VENV)/.test ## Extract the texts, update the catalogs of translations and compile them
	@$(RUN) -m test_utils.translations

.PHONY: upgrade
upgrade: $(VENV)/.dev ## Compile requirements/*.txt anew, with the newest versions
	@$(RUN) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit("Compile on the oldest Python supported: \
	make upgrade PYTHON=python3.11 VENV=.venv311 (this is %d.%d)." % v)'
	@# services last: mysqlclient says what it is only where MariaDB's client library is (`make services` installs it).
	@cd requirements; for name in base test quality doc dev e2e superset older-clickhouse services; do \
	  CUSTOM_COMPILE_COMMAND="make upgrade" $(abspath $(BIN))/pip-compile --quiet --upgrade --strip-extras \
	    --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
	    --output-file $$name.txt $$name.in; \
	done

.PHONY: clean
clean: ## Remove what the targets made, the virtual environment included
	rm -rf $(VENV) $(SUPERSET_VENV) $(OLDER_ENGINE) $(BUILD) dist docs/_build $(STATIC)/dist node_modules *.egg-info .demo .e2e .services .show .standin .tox \
	  .coverage .coverage.* htmlcov .hypothesis .mypy_cache .pytest_cache
	find . -type d \( -name __pycache__ -o -name .ruff_cache \) -prune -exec rm -rf {} +

# One environment: .test holds what demo, test and services need, .dev adds the tools; both name the same versions.
$(BIN)/python:
	$(if $(PYTHON),,$(error No Python 3.11 or later with venv found: install one (Debian, Ubuntu: \
	apt-get install python3 python3-venv) or name it with make PYTHON=/path/to/python3.11))
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.test: requirements/test.txt setup.py requirements/base.in $(PACKAGE)/__init__.py | $(BIN)/python
	@echo "Installing into $(VENV)"
	@$(PIP) install -r requirements/test.txt
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.test
	@$(PIP) install -r requirements/dev.txt
	@touch $@

$(VENV)/.e2e: requirements/e2e.txt $(VENV)/.test
	@$(PIP) install -r requirements/e2e.txt
	@touch $@

# Superset pins much that edx-platform pins otherwise.
$(OLDER_ENGINE)/.ready: requirements/older-clickhouse.txt | $(BIN)/python
	@echo "Installing ClickHouse 24.8 into $(OLDER_ENGINE)"
	@rm -rf $(OLDER_ENGINE)
	@$(PIP) install --target $(OLDER_ENGINE) -r requirements/older-clickhouse.txt
	@touch $@

$(SUPERSET_VENV)/.ready: requirements/superset.txt
	@echo "Installing Superset into $(SUPERSET_VENV)"
	@$(PYTHON) -m venv --clear $(SUPERSET_VENV)
	@$(SUPERSET_VENV)/bin/python -m pip -qq --disable-pip-version-check --no-input install -r requirements/superset.txt
	@touch $@

$(NPM): package.json package-lock.json .npmrc
	@command -v npm >/dev/null || { echo "npm not found: install Node.js 20.19 or later" >&2; exit 1; }
	@echo "Installing into node_modules"
	@npm ci --loglevel=error
	@touch $@
