#!/bin/sh
# Makes .venv complete from the hashed requirements files, and does nothing when nothing changed.
# usage: scripts/bootstrap.sh [--runtime | --demo]     (--runtime leaves the tests and tools out, --demo reads photographs too)
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy

say() { printf '%s\n' "$*" >&2; }

# The complete environment also serves where the smaller one is asked for.
wanted() { cat pyproject.toml "$1" scripts/bootstrap.sh | cksum; }
is_current() { [ -x .venv/bin/wamcp ] && [ "$(cat .venv/.wamcp-lock 2>/dev/null)" = "$1 $(wanted "$1")" ]; }
lock=requirements-dev.txt
is_current $lock && exit 0
case "${1:-}" in
  --runtime) lock=requirements.txt ;;
  --demo) lock=requirements-ocr.txt ;;
esac
is_current $lock && exit 0

python=""
for candidate in ${WAMCP_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
  say "WAMCP needs Python 3.11 or newer and found none: install it (Debian: apt-get install python3) or set WAMCP_PYTHON."
  exit 1
fi

# uv: on PATH, else in a venv of its own, else pip --user, else apt (root) and a venv again, else one sentence.
tools=.cache/uv-venv
uv_in_venv() { "$python" -m venv $tools >/dev/null 2>&1 && $tools/bin/pip install -q uv >/dev/null 2>&1 && uv=$tools/bin/uv; }
uv_in_home() {
  "$python" -m pip install -q --user uv >/dev/null 2>&1 || return 1
  uv="$("$python" -c 'import site; print(site.USER_BASE)')/bin/uv"
}
uv_by_apt() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y python3-venv python3-pip; } >/dev/null 2>&1
  uv_in_venv
}
if command -v uv >/dev/null; then uv=uv
elif [ -x $tools/bin/uv ]; then uv=$tools/bin/uv
else
  say "Getting uv, the installer ..."
  mkdir -p .cache
  uv_in_venv || uv_in_home || uv_by_apt || {
    say "Could not get uv: install it (https://docs.astral.sh/uv/) or, on Debian, run: apt-get install python3-venv"
    exit 1
  }
fi

say "Installing WAMCP into .venv ($lock) ..."
[ -x .venv/bin/python ] || "$uv" venv -q --python "$python" .venv
rm -f .venv/.wamcp-lock
VIRTUAL_ENV=$PWD/.venv "$uv" pip sync -q --require-hashes --compile-bytecode $lock
VIRTUAL_ENV=$PWD/.venv "$uv" pip install -q --no-deps --compile-bytecode -e .
.venv/bin/python -m compileall -q src app
printf '%s' "$lock $(wanted $lock)" > .venv/.wamcp-lock
