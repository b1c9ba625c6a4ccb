#!/bin/sh
# What must hold before a commit: the same at home and in continuous integration.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE
bin=.venv/bin
step() { printf '\n== %s\n' "$1"; }
step "format";            $bin/ruff format --check src app tests bench
step "lint";              $bin/ruff check src app tests bench
step "types";             $bin/mypy
step "security";          $bin/bandit -q -c pyproject.toml -r src app scripts docker bench
# What looks like a secret and is known to be none is listed, by its hash, in .secrets.baseline.
git ls-files -z -- . ':!requirements*.txt' ':!docker/requirements*.txt' |
  xargs -0 $bin/detect-secrets-hook --no-verify --baseline .secrets.baseline
step "import contracts";  $bin/lint-imports
step "containers";        $bin/hadolint docker/Dockerfile.*
$bin/check-jsonschema -q --builtin-schema vendor.compose-spec docker-compose.yml
[ -n "${WAMCP_CHECK_WITHOUT_TESTS:-}" ] || { step "house and unit tests"; $bin/python -m pytest -q tests/house tests/unit; }
