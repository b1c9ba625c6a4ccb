#!/bin/sh
# Saves the database and the files of the stack into a directory by `wamcp backup`, checks such a directory, or brings it
# back by `wamcp restore`; each in a container of its own, as the user who calls.
# usage: scripts/stack_backup.sh backup [DIR]     (default: backups/archive; used again, only what is new is copied)
#        scripts/stack_backup.sh verify DIR       (every file by its SHA-256, and the database restored beside the archive)
#        scripts/stack_backup.sh restore DIR      (REPLACE=1 to give up what is there now)
set -eu
cd "$(dirname "$0")/.."
umask 077
say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
compose() { docker compose "$@"; }
in_db() { compose exec -T db "$@"; }

# Where the engine itself runs without rights, root in a container is the user who called.
caller() { case "$(docker info -f '{{.SecurityOptions}}')" in *rootless*) echo 0:0 ;; *) echo "$(id -u):$(id -g)" ;; esac; }

# usage: wamcp_on DIR ARGUMENTS OF wamcp, to which DIR is /backup
wamcp_on() {
  WAMCP_BACKUP_DIR=$(cd "$1" && pwd)
  WAMCP_BACKUP_USER=$(caller)
  export WAMCP_BACKUP_DIR WAMCP_BACKUP_USER
  shift
  compose run --rm -T backup wamcp "$@"
}

require_backup() { [ -f "$1/manifest.json" ] || fail "Say which backup: make $2 FROM=backups/..."; }

backup() {
  into=${1:-backups/archive}
  mkdir -p "$into"
  wamcp_on "$into" backup --to /backup
  say "Saved into $into ($(du -sh "$into" | cut -f1)). It holds every message: guard it. .env and .secrets/ are not in it."
}

verify() {
  require_backup "${1:-}" backup-verify
  wamcp_on "$1" backup --verify /backup --scratch
}

restore() {
  from=${1:-}
  require_backup "$from" restore
  compose up -d --wait --no-build db valkey minio
  wamcp_on "$from" backup --verify /backup || fail "$from is damaged: nothing was touched."
  held=$(in_db psql -U wamcp -d wamcp -Atc "SELECT (SELECT count(*) FROM webhook_events) + (SELECT count(*) FROM messages)
    + (SELECT count(*) FROM sends) + (SELECT count(*) FROM media)" 2>/dev/null || echo 0)
  [ "$held" = 0 ] || [ "${REPLACE:-}" = 1 ] || fail "The archive holds $held webhooks, messages, sends and files, which a restore would replace: say REPLACE=1 if you mean it, after a \`make backup\`."
  services="api worker mcp"
  workers=$(compose ps -q worker | wc -l)
  [ "$workers" -gt 0 ] || workers=1
  [ -z "$(compose --profile '*' ps -q door)" ] || services="$services door"
  # shellcheck disable=SC2086 # a list of services
  compose --profile '*' stop $services
  if [ "${REPLACE:-}" = 1 ]; then
    in_db psql -q -U wamcp -d postgres -c 'DROP DATABASE wamcp WITH (FORCE)' -c 'CREATE DATABASE wamcp TEMPLATE template0'
  fi
  wamcp_on "$from" restore --from /backup
  compose run --rm -T migrate
  # shellcheck disable=SC2086 # a list of services
  compose --profile '*' up -d --no-deps --wait --no-build --scale "worker=$workers" $services
  say "Restored from $from."
  [ "${REPLACE:-}" != 1 ] || say "Files of what it replaced are left over: docker compose exec api wamcp objects check --remove"
}

case "${1:-}" in
  backup) backup "${2:-}" ;;
  verify) verify "${2:-}" ;;
  restore) restore "${2:-}" ;;
  *) fail "usage: $0 backup [DIR] | verify DIR | restore DIR" ;;
esac
