#!/bin/sh
# Writes requirements.lock: every package of set-up, for all systems and Pythons, by hash.
set -eu
cd "$(dirname "$0")/.."

partial=$(mktemp)
trap 'rm -f "$partial"' EXIT
.venv/bin/python -m uv pip compile pyproject.toml --group dev --extra intents --universal \
    --python-version 3.11 --generate-hashes --no-header --quiet --output-file "$partial"
{
    echo '# Every package of set-up, by hash; written by `make lock` from pyproject.toml.'
    cat "$partial"
} >requirements.lock
