#!/bin/sh
# The `wamcp` of .venv, or, where there is none, that of the running containers (which see no files of this machine).
wamcp="$(dirname "$0")/../.venv/bin/wamcp"
if [ -x "$wamcp" ]; then exec "$wamcp" "$@"; fi
if [ -n "$(docker compose --project-directory "$(dirname "$0")/.." ps -q api 2>/dev/null)" ]; then
  exec docker compose --project-directory "$(dirname "$0")/.." exec -T api wamcp "$@"
fi
echo "WAMCP is not installed here, and no containers of it run: run \`make setup\` or \`make dev\` first." >&2
exit 1
