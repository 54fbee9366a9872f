# Everything a checkout needs; each target sets itself up. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PROMPT ?= Why is the sky blue? Answer in one sentence.

.PHONY: help demo test test-slow lint format check bench errors screen clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## a real small model answers a question: no Docker, no model hub
	@scripts/demo.sh "$(PROMPT)"

test: ## all everyday tests with coverage; ARGS="tests/unit -k port" picks some
	@scripts/test.sh $(ARGS)

test-slow: ## the long suites
	@scripts/test.sh -m slow $(ARGS)

lint: ## ruff and mypy
	@scripts/setup.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mypy plugins/*.py benchmarks

format: ## let ruff put the code in order
	@scripts/setup.sh dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

check: lint test ## lint and test: what must be green before a commit is shared

bench: ## times beside a peer's in the same run, written to docs/benchmarks.md
	@scripts/setup.sh dev
	.venv/bin/python -m benchmarks

errors: ## docs/errors.md: typical mistakes and what llmstack says, from real runs
	@scripts/setup.sh dev
	.venv/bin/python scripts/errors.py docs/errors.md

screen: ## docs/screens: a picture of each screen, from real runs
	@scripts/setup.sh dev
	.venv/bin/python -m scripts.screen docs/screens

clean: ## remove the virtual environment, caches and build results (not what runs, not the store)
	rm -rf .venv build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
