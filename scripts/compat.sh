#!/usr/bin/env bash
# Run the tests with other versions of livekit-agents, each in an environment of its own.
#
#   scripts/compat.sh [VERSION ...]   those that need no server, and calls at the phone; all if none
#                                     is named. `newest` is the one of requirements/dev.txt
#   scripts/compat.sh --short         with the oldest, those that depend on the framework
set -euo pipefail
cd "$(dirname "$0")/.."

versions=(1.5.0 1.6.10 1.7.1 1.8.0 newest)
uv=.local/uv/bin/uv
export UV_SYSTEM_CERTS=true
no_server=(-m "not stack and not sipp and not case and not soak" --ignore=tests/bench --ignore=tests/line)

# environment VERSION: make it, as requirements/dev.txt with what requirements/compat/ has instead.
environment() {
  python=.venv/bin/python
  if [ "$1" = newest ]; then return; fi
  local folder=.local/compat/$1 other=requirements/compat/$1.txt now
  python=$folder/bin/python
  now=$(cat requirements/dev.txt "$other" pyproject.toml | sha256sum)
  if [ "$(cat "$folder/stamp" 2>/dev/null)" = "$now" ]; then return; fi
  rm -rf "$folder"
  "$uv" venv -q --python .venv/bin/python "$folder"
  "$uv" pip sync -q --python "$python" --require-hashes requirements/dev.txt
  "$uv" pip install -q --python "$python" --require-hashes --no-deps -r "$other"
  "$uv" pip install -q --python "$python" --no-deps --no-build-isolation -e .
  echo "$now" >"$folder/stamp"
}

run() { # run VERSION ARGUMENTS...
  local version=$1
  shift
  printf 'livekit-agents %s: ' "$version"
  "$python" -m pytest -q --no-header -p no:cacheprovider "$@" >"$log" 2>&1 && tail -n 1 "$log" && return
  echo
  cat "$log"
  failed+=("$version")
}

failed=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ "${1:-}" = --short ]; then
  environment "${versions[0]}"
  run "${versions[0]}" "${no_server[@]}" tests/livekit tests/jobguard tests/fallback \
    --ignore=tests/fallback/test_faults.py
else
  if [ $# -gt 0 ]; then versions=("$@"); fi
  for version in "${versions[@]}"; do
    environment "$version"
    run "$version" "${no_server[@]}"
    run "$version" -m compat tests/line/test_versions.py
  done
fi
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed with livekit-agents ${failed[*]}" >&2
  exit 1
fi
