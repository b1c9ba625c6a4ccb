#!/bin/sh
# Installs PgBouncer, behind which the tests run once.
# usage: scripts/install_pgbouncer.sh        (does nothing when it is there; needs root and apt otherwise)
set -eu

if PATH="$PATH:/usr/sbin" command -v pgbouncer >/dev/null; then exit 0; fi

if [ "$(id -u 2>/dev/null)" != 0 ] || ! command -v apt-get >/dev/null; then
  printf 'The pooler cannot be tested: install PgBouncer (Debian: apt-get install pgbouncer).\n' >&2
  exit 1
fi
printf 'Installing PgBouncer ...\n' >&2
export DEBIAN_FRONTEND=noninteractive
apt() { timeout 300 apt-get -o Acquire::http::Timeout=20 -o Acquire::Retries=2 "$@"; }
install_it() { apt install -y --no-install-recommends pgbouncer; }
{ install_it || { apt update && install_it; }; } >/dev/null 2>&1 || {
  printf 'apt-get could not install pgbouncer: the pooler is not tested.\n' >&2
  exit 1
}
