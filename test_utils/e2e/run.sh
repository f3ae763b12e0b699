#!/usr/bin/env bash
# The suite with a browser: Superset, the stand-in LMS and the ClickHouse endpoint, all private to this run, on free ports
# of 127.0.0.1, and Chromium.
#
# Missing packages come from apt, which needs root. The `python` that is first in PATH runs everything; SUPERSET_VENV names
# Superset's virtual environment (`make e2e` makes both). Arguments are pytest's, or --wait, or --pictures, or --benchmark
# with those of benchmarks/boards.py. Screenshots and logs are kept in .e2e.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
suite=e2e
source test_utils/suite.sh

need 'command -v chromium' chromium
need 'command -v chromedriver' chromium-driver
need 'command -v fc-list' fontconfig
need '[ -n "$(fc-list :lang=ar)" ]' fonts-dejavu-core
install_missing

if [ "${1:-}" = "--benchmark" ]; then
  shift
  run python -m benchmarks.boards "$folder" "$@"
fi
run python -m test_utils.e2e "$folder" "$@"
