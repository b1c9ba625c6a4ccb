#!/bin/sh
# Runs the whole suite. Missing system packages are installed by root; otherwise the tests that need them are skipped,
# counted and named at the end.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE
./scripts/install_tesseract.sh || true
./scripts/install_pgbouncer.sh || true
exec .venv/bin/python -m pytest "$@"
