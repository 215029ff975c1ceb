#!/usr/bin/env bash
# Runs a command while a demonstration of its own is running: tools/with_demo.sh COMMAND [ARGUMENT…]
# The command finds its address in DEMO_URL and the password of its accounts in DEMO_PASSWORD.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
: "${1:?COMMAND [ARGUMENT…]}"

cargo build --locked --manifest-path "$root/Cargo.toml"

tmp=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export DEMO_URL=http://127.0.0.1:$port
DEMO_PASSWORD=$(python3 -c 'import secrets; print(secrets.token_urlsafe(24))')
export DEMO_PASSWORD

# What is made up must not be sent to: no webhook leaves this demonstration.
KHOOSHEH_WEBHOOK_WORKERS=0 KHOOSHEH_DEMO_PASSWORD=$DEMO_PASSWORD "$root/target/debug/khoosheh" demo --bind "127.0.0.1:$port" \
  --database-url "sqlite://$tmp/demo.sqlite" >"$tmp/server.log" 2>&1 &
server=$!
finish() {
  status=$?
  [ "$status" = 0 ] || tail -n 40 "$tmp/server.log"
  kill "$server" 2>/dev/null && wait "$server" || true
  rm -rf "$tmp"
  exit "$status"
}
trap finish EXIT

for _ in $(seq 240); do
  kill -0 "$server" 2>/dev/null || exit 1 # it has ended: its log says why
  curl --silent --fail --output /dev/null "$DEMO_URL/health/ready" && ready=1 && break
  sleep 0.5
done
[ "${ready:-}" ] || { echo "the service was not ready within two minutes"; exit 1; }

"$@"
