# `make` alone prints what can be done here.
.DEFAULT_GOAL := help
SHELL := /bin/sh
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
ARGS ?=

.PHONY: help
help: ## Print this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk 'BEGIN {FS = ":.*## "} {printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## Make .venv complete (does nothing when nothing changed)
	@./scripts/bootstrap.sh

.PHONY: demo
demo: ## Start everything on this machine, play a day of messages, ask Claude's questions (ARGS=--once to exit after)
	@./scripts/bootstrap.sh --demo
	@$(BIN)/wamcp demo $(ARGS)

.PHONY: test
test: setup ## Run every test on real Postgres, Valkey and processes (ARGS="-k name" to choose)
	@./scripts/test.sh $(ARGS)

.PHONY: check
check: setup ## Format, lint, types, import contracts, size budget, docs and unit tests: about a minute
	@./scripts/check.sh

.PHONY: format
format: setup ## Format the code
	@$(BIN)/ruff format src app tests bench && $(BIN)/ruff check --fix src app tests bench

.PHONY: lock
lock: ## Compile the hashed requirements files from pyproject.toml
	@./scripts/lock.sh

.PHONY: db-migrate
db-migrate: setup ## Bring the database of DATABASE_URL to the newest schema
	@$(BIN)/wamcp migrate

.PHONY: bench-ingest
bench-ingest: setup ## Measure receipt against a naive baseline
	@$(BIN)/python -m bench.ingest $(ARGS)

.PHONY: bench-normalize
bench-normalize: setup ## Measure understanding against a naive baseline
	@$(BIN)/python -m bench.normalize $(ARGS)

.PHONY: bench-search
bench-search: setup ## Measure search over a million messages against a naive baseline
	@$(BIN)/python -m bench.search $(ARGS)

.PHONY: bench-latency
bench-latency: setup ## Measure the time from a webhook to its answer and to its being searchable
	@$(BIN)/python -m bench.latency $(ARGS)

.PHONY: bench-front
bench-front: setup ## Measure webhooks beside slow clients and a flood of bad signatures
	@$(BIN)/python -m bench.front $(ARGS)
