#!/bin/sh
# Saves the database and the files of the stack, or brings them back.
# usage: scripts/stack_backup.sh backup [DIR]     (default: backups/TIME)
#        scripts/stack_backup.sh restore DIR      (REPLACE=1 to give up what is there now)
set -eu
cd "$(dirname "$0")/.."
umask 077
say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
compose() { docker compose "$@"; }
in_db() { compose exec -T db "$@"; }

# The database first: files that come meanwhile are more than it names, never fewer.
backup() {
  into=${1:-backups/$(date -u +%Y%m%dT%H%M%SZ)}
  [ ! -e "$into" ] || fail "$into is there already: choose another name."
  mkdir -p "$into.part"
  in_db pg_dump -U wamcp -Fc wamcp > "$into.part/database.dump"
  compose exec -T api wamcp objects save > "$into.part/objects.tar"
  (cd "$into.part" && sha256sum database.dump objects.tar > SHA256SUMS)
  mv "$into.part" "$into"
  say "Saved into $into ($(du -sh "$into" | cut -f1)). It holds every message: guard it. .env and .secrets/ are not in it."
}

restore() {
  from=${1:-}
  [ -f "$from/SHA256SUMS" ] || fail "Say which backup: make restore FROM=backups/..."
  (cd "$from" && sha256sum -c --quiet SHA256SUMS) || fail "$from is damaged: nothing was touched."
  compose up -d --wait --no-build db valkey minio
  held=$(in_db psql -U wamcp -d wamcp -Atc 'SELECT count(*) FROM webhook_events' 2>/dev/null || echo 0)
  [ "$held" = 0 ] || [ "${REPLACE:-}" = 1 ] || fail "The archive holds $held webhooks, which a restore would replace: say REPLACE=1 if you mean it, after a \`make backup\`."
  compose --profile '*' stop api worker mcp door
  in_db psql -q -U wamcp -d postgres -c 'DROP DATABASE wamcp WITH (FORCE)' -c 'CREATE DATABASE wamcp TEMPLATE template0'
  in_db pg_restore -U wamcp -d wamcp --no-owner --no-privileges --exit-on-error < "$from/database.dump"
  compose run --rm -T migrate
  compose up -d --wait --no-build
  compose exec -T api wamcp objects load < "$from/objects.tar"
  compose exec -T api wamcp objects check
  say "Restored from $from."
}

case "${1:-}" in
  backup) backup "${2:-}" ;;
  restore) restore "${2:-}" ;;
  *) fail "usage: $0 backup [DIR] | restore DIR" ;;
esac
