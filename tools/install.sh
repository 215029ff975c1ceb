#!/usr/bin/env bash
# Installs what the other tools need, in the versions that package-lock.json and requirements.txt name.
set -euo pipefail
cd "$(dirname "$0")/.."

npm ci --prefix tools
[ -d .venv ] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --requirement tools/requirements.txt
