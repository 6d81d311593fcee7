# Everything installs itself: each target works alone on a fresh machine with Python 3.10 to 3.13.
PYTHON ?= python3
BIN := .venv/bin
PIP := pip install --quiet --disable-pip-version-check
IMAGE := source-streak:dev
export PYTHONPATH := $(CURDIR)/sandbox:$(CURDIR)/tools
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

.venv/ready: poetry.lock pyproject.toml tools/requirements.py
	$(PYTHON) -m venv .venv
	$(BIN)/python tools/requirements.py >.venv/requirements.txt
	$(BIN)/$(PIP) --require-hashes --no-deps --requirement .venv/requirements.txt
	$(BIN)/$(PIP) --no-deps --editable .
	@touch $@

demo: .venv/ready .venv-dbt/ready ## read a whole account (the sandbox's, or yours with STREAK_API_KEY) into streak.duckdb, and report.html
	@$(BIN)/python tools/demo.py --report

report: .venv-dbt/ready ## dbt builds its tables in streak.duckdb; report.html, one file with charts
	@.venv-dbt/bin/python tools/report.py

screenshots: .venv-pictures/ready ## pictures of report.html for the pages, in docs/assets; needs Chromium
	.venv-pictures/bin/python tools/screenshots.py

.venv-pictures/ready:
	$(PYTHON) -m venv .venv-pictures
	.venv-pictures/bin/$(PIP) pillow==13.0.0
	@touch $@

test: .venv/ready ## all tests but those that want more than Python: the targets test-… and acceptance
	$(BIN)/python -m pytest -n $$(( $$(getconf _NPROCESSORS_ONLN) * 3 / 2 )) --dist worksteal

test-wheel: .venv/ready ## the wheel, installed on each Python that this machine has
	$(BIN)/python -m pytest -m wheel integration_tests/test_wheel.py

test-image: .venv/ready ## the image, built and run; needs a container engine
	$(BIN)/python -m pytest -m image integration_tests/test_image.py

acceptance: .venv/ready ## airbyte-cdk's standard suite, against the sandbox
	$(BIN)/python tools/acceptance.py

acceptance-image: .venv/ready image ## the same suite's tests of the image
	$(BIN)/python tools/acceptance.py $(IMAGE)

test-lowest test-newest: test-%: ## with the lowest or the newest dependencies that pyproject.toml allows: unit tests, and the command
	rm -rf .venv-$*
	$(PYTHON) -m venv .venv-$*
	$(PYTHON) tools/bounds.py $* >.venv-$*/requirements.txt
	.venv-$*/bin/$(PIP) --requirement .venv-$*/requirements.txt
	.venv-$*/bin/$(PIP) --no-deps --editable .
	.venv-$*/bin/pip freeze | grep -iE '^(airbyte-cdk|anyascii|jsonschema|msgspec|orjson|pendulum|requests|urllib3|zstandard)='
	.venv-$*/bin/python -m pytest unit_tests integration_tests/test_command.py

lint: .venv/ready ## ruff: style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready ## mypy, strict
	$(BIN)/mypy

.venv-clients/ready: examples/requirements.txt integration_tests/postgres.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/$(PIP) --no-compile --no-deps --requirement examples/requirements.txt
	.venv-clients/bin/$(PIP) --no-deps --require-hashes --requirement integration_tests/postgres.txt
	@touch $@

test-clients: .venv/ready .venv-clients/ready ## other people's clients read the sandbox, also into PostgreSQL: PyAirbyte, airbyte-serverless (Python 3.10 to 3.12)
	$(BIN)/python -m pytest -m clients integration_tests/test_clients.py integration_tests/test_postgres.py

.venv-dbt/ready: dbt/requirements.txt
	$(PYTHON) -m venv .venv-dbt
	.venv-dbt/bin/$(PIP) --requirement dbt/requirements.txt
	@touch $@

.venv-warehouses/ready: dbt/warehouses.txt
	$(PYTHON) -m venv .venv-warehouses
	.venv-warehouses/bin/$(PIP) --requirement dbt/warehouses.txt
	@touch $@

test-dbt: .venv/ready .venv-dbt/ready .venv-clients/ready .venv-warehouses/ready ## dbt builds the package of dbt/ on DuckDB and PostgreSQL, and compiles it for Snowflake and BigQuery
	$(BIN)/python -m pytest -m dbt -n 2 integration_tests/test_dbt_*.py

files: .venv-files/ready ## Dockerfile, workflows, pre-commit's hooks: hadolint, actionlint, pre-commit validate-config
	.venv-files/bin/hadolint --failure-threshold info Dockerfile
	.venv-files/bin/actionlint
	.venv-files/bin/pre-commit validate-config

.venv-files/ready: tools/file_linters.txt
	$(PYTHON) -m venv .venv-files
	.venv-files/bin/$(PIP) pre-commit==4.7.0
	.venv-files/bin/$(PIP) --no-deps --require-hashes --requirement tools/file_linters.txt
	@touch $@

qa: .venv-qa/ready ## Airbyte's connectors-qa, offline; installs 230 packages and wants Python 3.11 or 3.12
	.venv-qa/bin/python tools/qa.py

.venv-qa/ready:
	$(PYTHON) -m venv .venv-qa
	.venv-qa/bin/$(PIP) airbyte-internal-ops==0.132.0
	@touch $@

audit: .venv-audit/ready ## known vulnerabilities of what the connector is locked to; asks PyPI
	$(PYTHON) tools/requirements.py main >.venv-audit/requirements.txt
	.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes --requirement .venv-audit/requirements.txt || \
		{ echo "Not audited, or not clean: above stands what was found, or which package PyPI (a mirror?) said nothing about." >&2; exit 1; }

.venv-audit/ready:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/$(PIP) pip-audit==2.10.1
	@touch $@

bench: .venv/ready .venv-tap/ready ## the figures of docs/performance.md
	$(BIN)/python tools/bench.py

.venv-tap/ready:
	$(PYTHON) -m venv .venv-tap
	.venv-tap/bin/$(PIP) singer-sdk==0.54.9
	@touch $@

bench-dbt: .venv-dbt/ready ## time and memory of the dbt package on 50,000 boxes, made of streak.duckdb (make demo)
	$(CURDIR)/.venv-dbt/bin/python tools/bench_dbt.py

probe: .venv/ready ## ask the live Streak what nobody has documented (key in STREAK_API_KEY or secrets/config.json): probe.md
	@$(BIN)/python tools/probe.py $(if $(POST),--post)

test-live: .venv/ready ## every command and stream against the account of secrets/config.json, at most 500 requests
	@$(BIN)/python tools/live.py

room: .venv/ready ## how large all states of a sync are together, and where deletions are not told
	PYTHONPATH=$(CURDIR)/sandbox:$(CURDIR)/unit_tests $(BIN)/python tools/room.py

chaos: .venv/ready ## 200 rounds of faults, kills and changes: the table of docs/reliability.md; about ten minutes
	$(BIN)/python tools/chaos.py

mutations: .venv/ready ## take out one guard of deletions, state, paging, … at a time: a test must fail each time; some minutes
	$(BIN)/python tools/mutations.py $(GUARD)

docs: .venv/ready .venv-docs/ready ## the documentation site, in site/; a broken link or a page in no menu fails
	$(BIN)/python tools/stream_facts.py >.venv-docs/streams.json
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

docs-serve: docs ## the same on port 8000 of this machine, built anew when a page changes
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs serve

.venv-docs/ready: tools/docs.txt tools/mermaid.py
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/$(PIP) --no-deps --require-hashes --requirement tools/docs.txt
	$(PYTHON) tools/mermaid.py .venv-docs/mermaid.min.js
	@touch $@

dist: .venv-dist/ready ## wheel and sdist in dist/, as they are published; twine check
	.venv-dist/bin/python tools/distributions.py

.venv-dist/ready: tools/dist.txt
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/$(PIP) --no-deps --require-hashes --requirement tools/dist.txt
	@touch $@

image: ## the connector's Docker image, source-streak:dev
	docker build $${BASE_IMAGE:+--build-arg BASE_IMAGE="$$BASE_IMAGE"} --tag $(IMAGE) .

lock: ## poetry.lock anew, after a change of the dependencies
	tools/lock.sh

clean: ## remove what the other targets made
	rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache dist site streak.duckdb probe.md report.html

.PHONY: help demo test test-clients test-dbt test-wheel test-image acceptance acceptance-image test-lowest test-newest lint types files qa audit bench bench-dbt room probe test-live chaos mutations docs docs-serve dist report screenshots image lock clean
