#!/usr/bin/env bash
# Sends generated requests, valid and invalid, to every operation of the served OpenAPI document (but /auth/) and checks
# each answer against it. FUZZ_EXAMPLES: generated requests per operation; FUZZ_SECONDS: bound on the run, below the 15
# minutes that its access token lasts.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

cargo build --locked
[ -d .venv ] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --requirement tools/requirements.txt

tmp=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base=http://127.0.0.1:$port
KHOOSHEH_DEMO_PASSWORD=$(python3 -c 'import secrets; print(secrets.token_urlsafe(24))')
export KHOOSHEH_DEMO_PASSWORD

target/debug/khoosheh demo --bind "127.0.0.1:$port" --database-url "sqlite://$tmp/schemathesis.sqlite" >"$tmp/server.log" 2>&1 &
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
  curl --silent --fail --output /dev/null "$base/health/ready" && ready=1 && break
  sleep 0.5
done
[ "${ready:-}" ] || { echo "the service was not ready within two minutes"; exit 1; }

token=$(curl --silent --show-error --fail "$base/api/v1/auth/token" --data grant_type=password --data username=isipo \
  --data-urlencode "password=$KHOOSHEH_DEMO_PASSWORD" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')

export PYTHONPATH=$root/tools PYTHONDONTWRITEBYTECODE=1
cd "$tmp" # what Schemathesis leaves behind goes with it
timeout --signal=INT --kill-after=30 "${FUZZ_SECONDS:-540}" "$root/.venv/bin/schemathesis" \
  --no-color --config-file "$root/tools/schemathesis.toml" run "$base/openapi.json" \
  --header "Authorization: Bearer $token" --checks all --phases examples,coverage,fuzzing,stateful \
  --max-examples "${FUZZ_EXAMPLES:-20}"
