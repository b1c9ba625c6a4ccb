#!/bin/sh
# The stack of docker-compose.yml: what `make dev` and its neighbours call. Settings come from .env, generated secrets
# lie in .secrets/, which only its owner may enter.
# usage: scripts/stack.sh dev|tunnel|tunnel-url|tunnel-logs|down|logs|migrate|smoke|scale N|upgrade|status
set -eu
cd "$(dirname "$0")/.."
say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
compose() { docker compose "$@"; }
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
value_of() { sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$1=//p" .env | tail -n 1 | sed "s/^[\"']//; s/[\"'][[:space:]]*$//"; }

require_engine() {
  command -v docker >/dev/null || fail "docker is not installed: get it from docs.docker.com/engine/install, or use \`make demo\`, which needs none."
  docker compose version >/dev/null 2>&1 || fail "docker has no compose plugin: install docker-compose-plugin (version 2.24 or newer)."
  docker info >/dev/null 2>&1 || fail "The docker engine does not answer: start it, or let your user use it."
}

require_env() { [ -f .env ] || fail "There is no .env: run \`cp .env.example .env\` and look into it."; }

# An empty secret of .env gets a value there; Meta's own cannot be made up, except while developing.
fill() {
  [ -z "$(value_of "$1")" ] || return 0
  new=$(random "$2")
  { grep -v "^[[:space:]]*$1=[[:space:]]*$" .env || true; printf '%s=%s\n' "$1" "$new"; } > .env.new
  cat .env.new > .env && rm -f .env.new
  say "Generated $1 into .env."
}

# A file of .secrets/, unless it is there. The containers run as users of their own: the directory guards the files.
secret() { [ -s ".secrets/$1" ] || { [ $# -eq 2 ] && printf '%s' "$2" || cat; } > ".secrets/$1"; chmod 644 ".secrets/$1"; }

prepare() {
  require_engine
  require_env
  fill ADMIN_API_KEY 32
  fill WHATSAPP_VERIFY_TOKEN 16
  [ "$(value_of WAMCP_ENV)" != development ] || fill WHATSAPP_APP_SECRET 16
  (umask 077 && mkdir -p .secrets)
  chmod 700 .secrets
  if [ ! -s .secrets/database_password ] && docker volume inspect "${COMPOSE_PROJECT_NAME:-wamcp}_database" >/dev/null 2>&1; then
    fail "The database's volume is there, but its password in .secrets/database_password is gone: bring .secrets/ back. (To begin with nothing: docker compose down --volumes)"
  fi
  secret database_password "$(random 24)"
  secret database_url "postgresql://wamcp:$(cat .secrets/database_password)@db:5432/wamcp"
  secret redis_password "$(random 24)"
  secret redis_url "redis://:$(cat .secrets/redis_password)@valkey:6379/0"
  secret valkey.conf <<END
requirepass $(cat .secrets/redis_password)
dir /data
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
END
  secret minio_access_key "wamcp$(random 8)"
  secret minio_secret_key "$(random 24)"
  secret objects.json <<END
{"identities": [{"name": "wamcp", "actions": ["Admin", "Read", "List", "Tagging", "Write"],
  "credentials": [{"accessKey": "$(cat .secrets/minio_access_key)", "secretKey": "$(cat .secrets/minio_secret_key)"}]}]}
END
  [ -f .secrets/tunnel_token ] || : > .secrets/tunnel_token
  chmod 644 .secrets/tunnel_token
  cat .env > .secrets/dotenv
  # What runs reads its settings when it starts: compose starts it anew when this line is another one.
  printf 'SETTINGS=%s\n' "$(cksum < .env)" > .secrets/settings
  chmod 644 .secrets/dotenv .secrets/settings
}

# Images first: only WAMCP can make a token of its own.
build() {
  [ "${1:-}" = keep ] && docker image inspect wamcp-api >/dev/null 2>&1 || compose build
  [ -s .secrets/mcp_token ] || secret mcp_token "$(docker run --rm --network none wamcp-api python -c \
    'from wamcp.access.tokens import generate; print(generate())')"
}

runs() { [ -n "$(compose --profile '*' ps -q "$1")" ]; }

# Each without what it depends on: compose would take the old one away first, and migrate before it starts the new one.
start() {
  compose --profile '*' up -d --no-deps --wait --wait-timeout 300 "$@" ||
    { compose ps -a >&2; fail "The stack did not become healthy: see \`make logs\`. Going back: docs/operations.md."; }
}

# As many workers as run go on. What takes webhooks is exchanged first and alone, so that they have to be sent again for
# seconds only.
up() {
  services=$(compose config --services)
  data=$(printf '%s\n' "$services" | grep -xE 'db|valkey|minio' || true)  # but for those that an override takes out
  # shellcheck disable=SC2086 # a list of services
  [ -z "$data" ] || start $data
  compose run --rm -T migrate || fail "The database was not migrated, and what runs was left as it is: see above."
  workers=$(compose ps -q worker | wc -l)
  [ "$workers" -gt 0 ] || workers=1
  for service in door api; do
    if runs "$service"; then start "$service"; fi
  done
  # shellcheck disable=SC2046 # a list of services
  start --scale "worker=$workers" $(printf '%s\n' "$services" | grep -vxE 'db|valkey|minio|migrate')
}

port() { compose port "$1" "$2" 2>/dev/null || true; }

dev() {
  prepare
  build
  up
  cat <<END

WAMCP runs.
  Admin API    http://$(port api 8000)          key: ADMIN_API_KEY in .env
  Claude's URL http://$(port mcp 8000)/mcp      token: .secrets/mcp_token
  Public port  http://$(port api 8001)          the webhook and /healthz alone; proxies lead here

  Try it       make smoke
  See it       curl -H "X-Admin-Api-Key: \$ADMIN_API_KEY" http://$(port api 8000)/admin/health
  Meta         make tunnel, then docs/setup.md
  Claude Desktop, in claude_desktop_config.json:
    {"mcpServers": {"wamcp": {"command": "docker", "args": ["exec", "-i", "wamcp-api-1", "python", "-m", "app.mcp.server"]}}}
END
}

is_named() { [ -s .secrets/tunnel_token ]; }
tunnel_service() { if is_named; then echo named-tunnel; else echo tunnel; fi; }

tunnel_url() { compose --profile '*' logs --no-log-prefix tunnel 2>/dev/null | grep -oE 'https://[-a-z0-9]+\.trycloudflare\.com' | tail -n 1; }

tunnel() {
  prepare
  build "${1:-keep}"
  compose run --rm --no-deps -T door wamcp tunnel --check || exit 1
  up
  start door
  start --no-recreate "$(tunnel_service)"
  if is_named; then
    say "The tunnel is open under the name that you gave it at Cloudflare; set PUBLIC_BASE_URL in .env to it."
    return
  fi
  url=$(tunnel_url) || true
  [ -n "$url" ] || fail "The tunnel has no address yet: see \`make tunnel-logs\`, then \`make tunnel-url\`."
  cat <<END

Callback URL for Meta: $url/webhooks/whatsapp
Verify token:          WHATSAPP_VERIFY_TOKEN in .env
The address changes with every start. The tunnel leads to the webhook and /healthz, and to nothing else.
END
}

stop() { compose --profile '*' down "$@"; }

case "${1:-}" in
  dev) dev ;;
  tunnel) tunnel ;;
  dev-tunnel) tunnel new ;;
  tunnel-url) require_engine; tunnel_url || fail "No quick tunnel runs: start it with \`make tunnel\`." ;;
  tunnel-logs) require_engine; compose --profile '*' logs -f --tail 100 door "$(tunnel_service)" ;;
  down) require_engine; stop ;;
  logs) require_engine; compose logs -f --tail 100 ;;
  status) require_engine; compose --profile '*' ps -a ;;
  migrate) prepare; build keep; compose run --rm -T migrate ;;
  smoke) require_engine; compose exec -T api wamcp smoke ;;
  scale)
    prepare
    runs api || fail "Nothing runs: start it with \`make dev\`."
    start --no-recreate --scale "worker=${2:?say how many: make scale WORKERS=3}" worker ;;
  upgrade)
    prepare
    build
    ./scripts/stack_backup.sh backup
    up ;;
  *) fail "usage: $0 dev|tunnel|dev-tunnel|tunnel-url|tunnel-logs|down|logs|status|migrate|smoke|scale N|upgrade" ;;
esac
