#!/usr/bin/env bash
# The delivery suite against real services: MariaDB, Redis, two Celery workers and the ClickHouse endpoint, all private
# to this run, on free ports of 127.0.0.1, with their data in a temporary folder that is removed at the end.
#
# Missing packages come from apt, which needs root. The `python` that is first in PATH runs everything, and gets
# requirements/services.txt (`make services` names its virtual environment's). Arguments are pytest's. The logs of servers
# and workers are kept in .services/logs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
suite=services
source test_utils/suite.sh

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
install_missing

wanted=$(cksum <requirements/services.txt)
stamp=$(python -c 'import sys; print(sys.prefix)')/.services
if [ "$wanted" != "$(cat "$stamp" 2>/dev/null)" ] || ! python -c 'import MySQLdb' 2>/dev/null; then
  say "installing requirements/services.txt"
  python -m pip install -qq --disable-pip-version-check --no-input -r requirements/services.txt
  echo "$wanted" >"$stamp"
fi

run python -m test_utils.services "$folder" "$@"
