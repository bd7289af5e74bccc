#!/usr/bin/env bash
# `npm test`: makes sure of the parts, then runs the tests.
#
#   npm test                                   all of them
#   npm test -- src/core/backoff.test.ts       these files
#   npm test -- --test-name-pattern=P5         options of `node --test`
set -euo pipefail

# A third of the time tests wait for a timeout, a broker or a disk; more at once would only slow each other down.
readonly CONCURRENCY=3
# One that hangs must not hold the others for ever. Node 20 counts a whole file as one test.
readonly TEST_TIMEOUT_MS=300000

root=$(cd "$(dirname "$0")/.." && pwd)
options=()
files=()
for argument in "$@"; do
  case $argument in
    -*) options+=("$argument") ;;
    *) files+=("$(realpath -e "$argument")") ;;
  esac
done
cd "$root"

# Debian keeps daemons out of an ordinary user's path; the tests start mosquitto by its name.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

echo "parts: node $(node --version)"
bash scripts/parts.sh
if [ ${#files[@]} -eq 0 ]; then mapfile -t files < <(find src hw-test -name '*.test.ts' | sort); fi
exec node --import tsx --test --test-concurrency="$CONCURRENCY" --test-timeout="$TEST_TIMEOUT_MS" --test-reporter=spec \
  ${options[@]+"${options[@]}"} "${files[@]}"
