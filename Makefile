# Everything installs itself: each target works alone on a fresh machine with Python 3.10 to 3.13.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.venv/ready: poetry.lock pyproject.toml tools/requirements.py
	$(PYTHON) -m venv .venv
	$(BIN)/python tools/requirements.py >.venv/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement .venv/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: .venv/ready ## read a whole account (the sandbox's, or yours with STREAK_API_KEY) into streak.duckdb
	@$(BIN)/python integration_tests/demo.py

test: .venv/ready ## all tests
	$(BIN)/python -m pytest

lint: .venv/ready ## ruff: style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready ## mypy, strict
	$(BIN)/mypy

.venv-clients/ready: examples/requirements.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/pip install --quiet --disable-pip-version-check --no-compile --no-deps --requirement examples/requirements.txt
	@touch $@

test-clients: .venv/ready .venv-clients/ready ## other people's clients read the sandbox: PyAirbyte, airbyte-serverless (Python 3.10 to 3.12)
	$(BIN)/python -m pytest integration_tests/check_clients.py

bench: .venv/ready ## the figures of docs/performance.md
	$(BIN)/python integration_tests/bench.py

image: ## the connector's Docker image, airbyte/source-streak:dev
	docker build $${BASE_IMAGE:+--build-arg BASE_IMAGE="$$BASE_IMAGE"} --tag airbyte/source-streak:dev .

lock: ## poetry.lock anew, after a change of the dependencies
	tools/lock.sh

clean: ## remove what the other targets made
	rm -rf .venv .venv-clients .pytest_cache .mypy_cache .ruff_cache streak.duckdb

.PHONY: help demo test lint types test-clients bench image lock clean
