#!/usr/bin/env bash
# A pgbouncer in transaction mode with one server connection a database, in front of a test's PostgreSQL: lives as long as
# this script's standard input stays open. Usage: test-pgbouncer.sh POSTGRES_PORT LOGIN, the login's password in PGPASSWORD.
# Prints the port that it listens on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/dev/postgres.sh"
trap '' INT HUP
dir=$(mktemp -d "${TMPDIR:-/tmp}/kpi-test-pgbouncer.XXXXXX")
finish() { kill "$(cat "$dir/pid" 2>/dev/null)" 2>/dev/null || true; rm -rf "$dir"; }
trap finish EXIT
printf '"%s" "%s"\n' "$2" "$PGPASSWORD" >"$dir/users"
for attempt in 1 2 3 4 5; do
  port=$(free_port)
  cat >"$dir/pgbouncer.ini" <<INI
[databases]
* = host=127.0.0.1 port=$1
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
pidfile = $dir/pid
auth_type = scram-sha-256
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 1
max_client_conn = 100
ignore_startup_parameters = extra_float_digits
INI
  if [ "$(id -u)" = 0 ]; then chown -R postgres: "$dir"; fi
  (cd / && pg_as "$(command -v pgbouncer || echo /usr/sbin/pgbouncer)" -q "$dir/pgbouncer.ini" >"$dir/log" 2>&1) &
  bouncer=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do kill -0 "$bouncer" 2>/dev/null || continue 2; sleep 0.05; done
  echo "$port"
  cat >/dev/null
  exit
done
cat "$dir/log" >&2
exit 1
