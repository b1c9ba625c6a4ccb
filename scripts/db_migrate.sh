#!/bin/sh
# Migrates the database of the containers when they run, else that of DATABASE_URL.
set -eu
cd "$(dirname "$0")/.."
if command -v docker >/dev/null && [ -n "$(docker compose ps -q db 2>/dev/null || true)" ]; then
  exec ./scripts/stack.sh migrate
fi
./scripts/bootstrap.sh
exec .venv/bin/wamcp migrate
