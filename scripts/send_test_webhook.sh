#!/bin/sh
# Signs and posts webhook bodies as Meta would, to the WAMCP that runs here; without files, one text message of ours.
# usage: scripts/send_test_webhook.sh [--url URL] [--secret SECRET] [file...]
exec "$(dirname "$0")/wamcp.sh" send-webhook "$@"
