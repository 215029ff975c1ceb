#!/usr/bin/env bash
# Takes a picture of a page as headless Chromium shows it: tools/docs_screenshot.sh URL OUT.png
set -euo pipefail
url=${1:?URL OUT.png}
out=${2:?URL OUT.png}

if ! command -v chromium >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y chromium >/dev/null
fi

profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
# The virtual time lets a page that draws itself by script finish before its picture is taken.
timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
  --disable-component-update --disable-sync --user-data-dir="$profile" --hide-scrollbars --window-size=1280,1600 \
  --virtual-time-budget=10000 --screenshot="$out" "$url" 2>/dev/null
[ -s "$out" ] || { echo "no picture of $url was taken"; exit 1; }
