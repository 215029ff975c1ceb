#!/usr/bin/env bash
# Sends generated requests, valid and invalid, to every operation of the served OpenAPI document (but /auth/) and checks
# each answer against it. FUZZ_EXAMPLES: generated requests per operation; FUZZ_SECONDS: bound on the run, below the 15
# minutes that its access token lasts. Needs tools/install.sh.
# The operations are sent to in two halves at once, each with a demonstration of its own: the client is what takes long,
# and keeps one core busy.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
if [ -z "${FUZZ_HALF:-}" ]; then
  cargo build --locked --manifest-path "$tools/../Cargo.toml"
  halves=$(mktemp -d)
  trap 'rm -rf "$halves"' EXIT
  FUZZ_HALF=include "$0" >"$halves/first" 2>&1 &
  first=$!
  FUZZ_HALF=exclude "$0" >"$halves/second" 2>&1 &
  second=$!
  status=0
  wait "$first" || status=$?
  wait "$second" || status=$?
  cat "$halves/first" "$halves/second"
  exit "$status"
fi
[ "${DEMO_URL:-}" ] || exec "$tools/with_demo.sh" "$0"

TOKEN=$(curl --silent --show-error --fail "$DEMO_URL/api/v1/auth/token" --data grant_type=password --data username=admin \
  --data-urlencode "password=$DEMO_PASSWORD" |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')

export TOKEN PYTHONPATH=$tools PYTHONDONTWRITEBYTECODE=1
left_behind=$(mktemp -d)
trap 'rm -rf "$left_behind"' EXIT
cd "$left_behind"
timeout --signal=INT --kill-after=30 "${FUZZ_SECONDS:-780}" "$tools/../.venv/bin/schemathesis" \
  --no-color --config-file "$tools/schemathesis.toml" run "$DEMO_URL/openapi.json" \
  --header "Authorization: Bearer $TOKEN" --checks all --phases examples,coverage,fuzzing,stateful \
  "--$FUZZ_HALF-path-regex" "^/api/v1/(clusters|projects|reports|milestones)(/|$)" --max-examples "${FUZZ_EXAMPLES:-20}"

# An account that lost its session meanwhile was refused everything, which looks like an answer.
curl --silent --show-error --fail --output /dev/null --header "Authorization: Bearer $TOKEN" "$DEMO_URL/api/v1/auth/me"
