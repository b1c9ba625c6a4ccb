# `make` alone prints what can be done here.
.DEFAULT_GOAL := help
SHELL := /bin/sh
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
ARGS ?=
export WAMCP_GIT_VERSION ?= $(shell git rev-parse --short HEAD 2>/dev/null)

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

.PHONY: test-faults
test-faults: setup ## Break each part while webhooks come, and print what was lost, doubled and how long it took (ten minutes)
	@./scripts/test.sh -m fault $(ARGS)

.PHONY: check
check: setup ## Format, lint, types, import contracts, size budget, secrets, docs and unit tests: about three minutes
	@./scripts/check.sh

.PHONY: format
format: setup ## Format the code
	@$(BIN)/ruff format src app tests bench && $(BIN)/ruff check --fix src app tests bench

.PHONY: lock
lock: ## Compile the hashed requirements files from pyproject.toml
	@./scripts/lock.sh

.PHONY: db-migrate
db-migrate: ## Bring the database to the newest schema: the stack's, or else that of DATABASE_URL
	@./scripts/db_migrate.sh

.PHONY: dev
dev: ## Build and start everything in containers, and wait until it is healthy (first: cp .env.example .env)
	@./scripts/stack.sh dev

.PHONY: dev-tunnel
dev-tunnel: ## The same, with a Cloudflare tunnel to the public port
	@./scripts/stack.sh dev-tunnel

.PHONY: tunnel
tunnel: ## Start the containers, as they were built, and a Cloudflare tunnel to the public port
	@./scripts/stack.sh tunnel

.PHONY: tunnel-url
tunnel-url: ## Print the address of the quick tunnel
	@./scripts/stack.sh tunnel-url

.PHONY: tunnel-logs
tunnel-logs: ## Follow what the tunnel says
	@./scripts/stack.sh tunnel-logs

.PHONY: logs
logs: ## Follow what the containers say
	@./scripts/stack.sh logs

.PHONY: scale
scale: ## Run more workers (WORKERS=3)
	@./scripts/stack.sh scale "$(WORKERS)"

.PHONY: smoke
smoke: ## Follow one signed webhook until Claude's tool finds it, and take it out again
	@./scripts/stack.sh smoke

.PHONY: backup
backup: ## Save the database and the files of the containers into backups/archive (TO=DIR); again, only what is new
	@./scripts/stack_backup.sh backup "$(TO)"

.PHONY: backup-verify
backup-verify: ## Check every byte of a backup, and bring it back beside the archive to compare (FROM=backups/...)
	@./scripts/stack_backup.sh verify "$(FROM)"

.PHONY: restore
restore: ## Bring a backup back (FROM=backups/..., REPLACE=1 to give up what is there)
	@REPLACE="$(REPLACE)" ./scripts/stack_backup.sh restore "$(FROM)"

.PHONY: upgrade
upgrade: ## Build this release, save everything, migrate beside the old one, and change over
	@./scripts/stack.sh upgrade

.PHONY: down
down: ## Stop and remove the containers; what they keep stays
	@./scripts/stack.sh down

.PHONY: test-containers
test-containers: ## Build, run and break the containers with a real engine (up to an hour; root on Debian)
	@./scripts/test_containers.sh $(ARGS)

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
