#!/bin/sh
# Sends a text (or whatever `wamcp send --help` offers) through the API of the WAMCP that runs here.
# usage: scripts/send_whatsapp_message.sh <to> [text]
if [ $# -eq 0 ]; then
  echo "usage: $0 <to> [text]     (to: a phone number with its country code)" >&2
  exit 2
fi
if [ $# -eq 1 ]; then set -- "$1" "Hello from WAMCP!"; fi
exec "$(dirname "$0")/wamcp.sh" send "$@"
