#!/bin/sh
# Signs and posts webhook bodies as Meta would; without files, one text message of ours.
# usage: scripts/send_test_webhook.sh [file...]     (to a running `wamcp up`, or set WAMCP_URL and WHATSAPP_APP_SECRET)
set -eu
here=$(dirname "$0")/..
[ $# -gt 0 ] || set -- "$here/src/wamcp/simulator/samples/text.json"
exec "$here/.venv/bin/wamcp" send-webhook ${WAMCP_URL:+--url "$WAMCP_URL"} "$@"
