#!/usr/bin/env bash
# The delivery suite against real services: MariaDB, Redis, two Celery workers and the ClickHouse endpoint, all private
# to this run, on free ports of 127.0.0.1, with their data in a temporary folder that is removed at the end.
#
# What is missing comes from apt, which needs root. The `python` that is first in PATH runs everything, and gets
# requirements/services.txt (`make services` names its virtual environment's). Arguments are pytest's. SERVICES_LOGS=<folder> keeps
# what the servers and workers wrote when the suite fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { echo "services: $*"; }
fail() { echo "services: $*" >&2; exit 1; }

python -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null \
  || fail "The python that is first in PATH is no virtual environment's: run \`make services\`."

missing=()
need() { # <test that succeeds when it is there> <package>
  eval "$1" >/dev/null 2>&1 || missing+=("$2")
}
PATH="$PATH:/usr/sbin:/sbin"
need 'command -v mariadbd && command -v mariadb-install-db' mariadb-server
need 'command -v redis-server' redis-server
if ! python -c 'import MySQLdb' 2>/dev/null; then
  # To compile mysqlclient.
  need 'command -v gcc' gcc
  need 'echo "#include <stdlib.h>" | gcc -E -' libc6-dev
  need 'command -v pkg-config' pkg-config
  need 'pkg-config --exists libmariadb || pkg-config --exists mysqlclient' libmariadb-dev
  need "test -e $(python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" \
    "python$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')-dev"
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/services.XXXXXX")
policy=""
suite=""
finish() {
  status=$?
  trap - EXIT INT TERM HUP
  if [ -n "$suite" ]; then
    kill -TERM "$suite" 2>/dev/null && wait "$suite" || true
  fi
  # Each server leads a process group of its own.
  for file in "$folder"/run/*.pid; do
    if [ -e "$file" ]; then kill -KILL -- "-$(cat "$file")" 2>/dev/null || true; fi
  done
  if [ -n "$policy" ]; then rm -f "$policy"; fi
  if [ "$status" -ne 0 ] && [ -n "${SERVICES_LOGS:-}" ]; then
    mkdir -p "$SERVICES_LOGS" && cp "$folder"/*.log "$SERVICES_LOGS"/ 2>/dev/null || true
  fi
  rm -rf "$folder"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ "${#missing[@]}" -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    fail "Missing: ${missing[*]} (names of Debian's packages). There is no apt-get here: install them another way."
  fi
  if [ "$(id -u)" -ne 0 ]; then
    fail "Missing: ${missing[*]}. Only root may install them: run \`apt-get install ${missing[*]}\` as root first."
  fi
  say "installing ${missing[*]}"
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    # Until they are installed: the packages are not to start servers of their own.
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  {
    apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"
  } >"$folder/apt.log" 2>&1 </dev/null || { tail -n 30 "$folder/apt.log" >&2; fail "apt-get failed"; }
  if [ -n "$policy" ]; then rm -f "$policy"; policy=""; fi
fi

wanted=$(cksum <requirements/services.txt)
stamp=$(python -c 'import sys; print(sys.prefix)')/.services
if [ "$wanted" != "$(cat "$stamp" 2>/dev/null)" ] || ! python -c 'import MySQLdb' 2>/dev/null; then
  say "installing requirements/services.txt"
  python -m pip install -qq --disable-pip-version-check --no-input -r requirements/services.txt
  echo "$wanted" >"$stamp"
fi

# What workers that are killed leave behind goes with the rest.
export TMPDIR="$folder/tmp"
mkdir "$TMPDIR"
# In the background, for bash to hear signals at once.
python -m test_utils.services "$folder" "$@" </dev/null &
suite=$!
status=0
wait "$suite" || status=$?
suite=""
exit "$status"
