#!/bin/sh
# Builds, runs and breaks the containers. Where no engine answers, root on Debian gets one of its own, which is ended
# afterwards; where no registry of images answers, the base is made by debootstrap and others' images have stand-ins.
# What cannot run is said, and is a failure. usage: scripts/test_containers.sh [pytest options]
# WAMCP_LAB: where engine and images are kept for the next time (default /var/lib/wamcp-lab; several GB).
# WAMCP_LAB_PULL=1: use the real images of others, from their registry.
set -eu
cd "$(dirname "$0")/.."
lab=${WAMCP_LAB:-/var/lib/wamcp-lab}
say() { printf '== %s\n' "$*" >&2; }
fail() { printf '\nThe containers were NOT tested: %s\n' "$*" >&2; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }
install() { apt-get install -y --no-install-recommends "$@" >/dev/null; }
trixie() {
  apt-get -o Dir::Etc::sourcelist="$lab/trixie/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root \
    -o Dir::State::lists="$lab/trixie/lists" -o Dir::Cache="$lab/trixie/cache" "$@"
}

# Debian 12 has no compose of version 2; that of Debian 13 needs nothing of its own.
plugins() {
  docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1 && return
  is_root || fail "docker has no compose and buildx plugins: install docker-compose-plugin and docker-buildx-plugin."
  say "Fetching compose and buildx"
  mkdir -p "$lab/trixie/lists/partial" "$lab/trixie/cache/archives/partial" "$DOCKER_CONFIG/cli-plugins"
  archive=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" 2>/dev/null | grep -m 1 '/debian/*$') ||
    fail "apt names no archive of Debian."
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" > "$lab/trixie/sources.list"
  (trixie update && cd "$lab/trixie" && trixie download docker-compose docker-buildx) >/dev/null || fail "compose cannot be fetched."
  for package in "$lab"/trixie/*.deb; do dpkg-deb -x "$package" "$lab/trixie/unpacked"; done
  cp "$lab"/trixie/unpacked/usr/libexec/docker/cli-plugins/* "$DOCKER_CONFIG/cli-plugins/"
}

engine() {
  mkdir -p "$lab/engine"
  export DOCKER_CONFIG="${DOCKER_CONFIG:-$lab/config}"
  if docker info >/dev/null 2>&1; then return; fi
  is_root || fail "no container engine answers, and only root can start one: start docker."
  if ! command -v dockerd >/dev/null; then
    command -v apt-get >/dev/null || fail "there is no dockerd, and no apt-get to install it with."
    say "Installing docker"
    { apt-get update >/dev/null && install docker.io iptables; } 2>/dev/null || fail "docker.io cannot be installed."
  fi
  export DOCKER_HOST="unix://$lab/engine/socket"
  if docker info >/dev/null 2>&1; then return; fi
  say "Starting an engine in $lab/engine"
  dockerd --data-root "$lab/engine/data" --exec-root "$lab/engine/exec" --pidfile "$lab/engine/pid" -H "$DOCKER_HOST" \
    --default-ulimit nofile=20000:20000 > "$lab/engine/log" 2>&1 &
  engine_pid=$!
  trap 'kill "$engine_pid"; wait "$engine_pid" || true' EXIT
  for _ in $(seq 100); do docker info >/dev/null 2>&1 && return; sleep 0.3; done
  fail "dockerd does not start: $(tail -n 1 "$lab/engine/log")"
}

base() {
  export WAMCP_BASE="${WAMCP_BASE:-wamcp-test/python:3.13}"
  docker image inspect "$WAMCP_BASE" >/dev/null 2>&1 && return
  is_root || fail "$WAMCP_BASE is not there, and only root can make it: pull it, or set WAMCP_BASE."
  command -v debootstrap >/dev/null || { say "Installing debootstrap"; install debootstrap || fail "debootstrap cannot be installed."; }
  say "Making $WAMCP_BASE by debootstrap"
  archive=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" 2>/dev/null | grep -m 1 '/debian/*$') || archive=
  rm -rf "$lab/root"
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv trixie "$lab/root" $archive >"$lab/debootstrap.log" 2>&1 ||
    fail "debootstrap: $(tail -n 1 "$lab/debootstrap.log")"
  ln -sf python3 "$lab/root/usr/bin/python"
  cp /etc/ssl/certs/ca-certificates.crt "$lab/root/etc/ssl/certs/"
  rm -f "$lab"/root/var/cache/apt/archives/*.deb
  tar -C "$lab/root" -c . | docker import -c 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' - "$WAMCP_BASE" >/dev/null
  rm -rf "$lab/root"
}

stand_ins() {
  [ "${WAMCP_LAB_PULL:-}" != 1 ] || return 0
  say "Making stand-ins for the images of others"
  for name in db valkey objects cloudflared; do
    docker buildx build -q --build-arg WAMCP_BASE="$WAMCP_BASE" --target $name -t wamcp-test/$name tests/containers/images >/dev/null ||
      fail "the stand-in $name cannot be built."
  done
  export POSTGRES_IMAGE=wamcp-test/db VALKEY_IMAGE=wamcp-test/valkey OBJECTS_IMAGE=wamcp-test/objects
  export CLOUDFLARED_IMAGE=wamcp-test/cloudflared
}

engine
plugins
base
stand_ins
export COMPOSE_PROJECT_NAME=wamcp-test WAMCP_TEST_CONTAINERS=1
export WAMCP_PORT="${WAMCP_PORT:-18000}" WAMCP_PUBLIC_PORT="${WAMCP_PUBLIC_PORT:-18001}" WAMCP_MCP_PORT="${WAMCP_MCP_PORT:-18002}"
${PYTHON:-.venv/bin/python} -m pytest tests/containers -p no:randomly -q -rA "$@"
