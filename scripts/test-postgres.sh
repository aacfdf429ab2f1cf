#!/usr/bin/env bash
# A private PostgreSQL for tests: lives as long as this script's standard input stays open, then leaves nothing.
# The kernel closes that pipe however the owner dies, SIGKILL included, so no run can leave a server behind.
# Prints one line, an Npgsql connection string of its superuser. Options: settings for postgresql.conf.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/dev/postgres.sh"
[ -n "$(pg_bindir)" ] || { echo "test-postgres: no PostgreSQL server found; run ./dev test, or: apt-get install postgresql" >&2; exit 1; }
trap '' INT HUP # the owner's terminal may send them to the group; the pipe says when to end
# Tests clone a database more than a thousand times, 700 files each: in memory that takes a tenth of the processor that a disk's file
# system takes. A measurement, which names its settings, has a disk; so has a machine without room in memory.
parent=${TMPDIR:-/tmp}
if [ $# -eq 0 ] && [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -1)" -gt $((4 << 20)) ]; then parent=/dev/shm; fi
dir=$(mktemp -d "$parent/kpi-test-pg.XXXXXX")
finish() { pg_stop "$dir" immediate >/dev/null 2>&1 || true; rm -rf "$dir"; }
trap finish EXIT
password=$(random_secret)
# A measurement names its settings. Tests make and drop more than a thousand databases, a checkpoint each time, and need
# no durability against a power cut: a killed server keeps what the kernel has.
[ $# -gt 0 ] || set -- "fsync = off" "full_page_writes = off" "shared_buffers = 256MB"
pg_init "$dir" "$password" "max_wal_size = 2GB" "$@"
for attempt in 1 2 3 4 5; do
  port=$(free_port)
  if pg_start "$dir" "$port" >/dev/null 2>&1; then break; fi
  [ "$attempt" -lt 5 ] || { tail -20 "$dir/server.log" >&2; exit 1; }
done
echo "Host=127.0.0.1;Port=$port;Username=postgres;Password=$password;Database=postgres;Include Error Detail=true"
cat >/dev/null
