#!/bin/sh
# Installs the pinned MCP clients and the conformance suite, for the acceptance tests, into .cache/mcp-clients.
# usage: scripts/install_mcp_clients.sh        (does nothing when they are there; needs the npm registry otherwise)
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

packages="@modelcontextprotocol/inspector@2.12.0 @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/conformance@0.2.0-alpha.12"
home=.cache/mcp-clients
if [ "$(cat $home/.installed 2>/dev/null)" = "$packages" ]; then exit 0; fi

mkdir -p $home
cd $home
[ -f package.json ] || printf '{"name": "mcp-clients", "private": true}\n' > package.json
# shellcheck disable=SC2086
npm install --no-fund --no-audit --no-progress --fetch-retries=1 --fetch-timeout=20000 $packages >&2
printf '%s' "$packages" > .installed
