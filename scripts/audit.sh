#!/bin/sh
# Asks the advisory database about every package of the lock; 1 where one has a known weakness.
# Without a network nothing can be asked: that is said, and is no failure.
set -eu
cd "$(dirname "$0")/.."

said=$(mktemp)
trap 'rm -f "$said"' EXIT
status=0
.venv/bin/python -m pip_audit --requirement requirements.lock --require-hashes --disable-pip \
    --progress-spinner off >"$said" 2>&1 || status=$?
unasked=$(grep -c 'could not be audited' "$said" || true)
if grep -q 'ConnectionError\|ServiceError' "$said"; then
    echo "audit: the advisory database can't be reached; nothing was audited."
elif [ "$status" -ne 0 ]; then
    cat "$said"
    exit "$status"
elif [ "$unasked" -gt 0 ]; then
    echo "audit: nothing known; $unasked packages the database didn't have."
else
    echo "audit: nothing known of any package."
fi
