# Shared by the suites with real servers: packages from apt, and an end that leaves no process and no file. Their run.sh
# sets $suite (a name), goes to the repository, and sources this; then $folder is there for the processes.

say() { echo "$suite: $*"; }
fail() { echo "$suite: $*" >&2; exit 1; }

python -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null \
  || fail "The python that is first in PATH is no virtual environment's: run \`make $suite\`."

folder=$(mktemp -d "${TMPDIR:-/tmp}/$suite.XXXXXX")
# Files that killed processes leave behind are removed with the folder.
mkdir "$folder/tmp"
export TMPDIR="$folder/tmp"

policy=""
running=""
finish() {
  status=$?
  trap - EXIT INT TERM HUP
  if [ -n "$running" ]; then
    kill -TERM "$running" 2>/dev/null && wait "$running" || true
  fi
  # Each process leads a group of its own.
  for file in "$folder"/run/*.pid; do
    if [ -e "$file" ]; then kill -KILL -- "-$(cat "$file")" 2>/dev/null || true; fi
  done
  if [ -n "$policy" ]; then rm -f "$policy"; fi
  rm -rf ".$suite"
  mkdir ".$suite"
  for kept in logs screenshots; do
    if [ -e "$folder/$kept" ]; then mv "$folder/$kept" ".$suite/"; fi
  done
  rm -rf "$folder"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

PATH="$PATH:/usr/sbin:/sbin"
missing=()
need() { # <test that succeeds when it is there> <package>
  eval "$1" >/dev/null 2>&1 || missing+=("$2")
}

install_missing() {
  if [ "${#missing[@]}" -eq 0 ]; then return; fi
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
}

# In the background, for bash to hear signals at once.
run() { # <command>
  "$@" </dev/null &
  running=$!
  status=0
  wait "$running" || status=$?
  running=""
  exit "$status"
}
