# shellcheck shell=bash
# PostgreSQL without the system's service: clusters of our own on loopback. Sourced by dev and scripts/test-postgres.sh.

# The newest server on this machine; empty where there is none.
pg_bindir() {
  local dirs
  dirs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5,5n || true)
  [ -n "$dirs" ] && { echo "$dirs" | tail -1; return; }
  command -v initdb >/dev/null && dirname "$(readlink -f "$(command -v initdb)")" || true
}

# PostgreSQL refuses root, so root steps down to the user that Debian's package made.
pg_as() {
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/tmp "$@"; else "$@"; fi
}

# A loopback port nobody listens on, below the range that the kernel hands out for outgoing connections.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

random_secret() { od -An -N18 -tx1 /dev/urandom | tr -d ' \n'; }

# pg_init DIR PASSWORD [SETTING…]: a cluster in DIR whose superuser is postgres.
pg_init() {
  local dir=$1 password=$2 pwfile; shift 2
  pwfile=$(mktemp); printf '%s\n' "$password" >"$pwfile"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$dir" "$pwfile"; fi
  chmod 700 "$dir"
  # The current directory may be one that the server's user cannot enter.
  (cd / && pg_as "$(pg_bindir)/initdb" -D "$dir" -U postgres --auth=scram-sha-256 --pwfile="$pwfile" \
    --encoding=UTF8 --locale=C.UTF-8 --no-instructions >/dev/null)
  rm -f "$pwfile"
  { printf "%s\n" "listen_addresses = '127.0.0.1'" "unix_socket_directories = ''" "max_connections = 200" \
      "shared_buffers = 256MB" "timezone = 'UTC'" "log_timezone = 'UTC'" "jit = off" "$@"; } |
    pg_as tee -a "$dir/postgresql.conf" >/dev/null
}

# pg_start DIR PORT: returns when it takes connections.
pg_start() {
  (cd / && pg_as "$(pg_bindir)/pg_ctl" -D "$1" -w -t 60 -s -l "$1/server.log" -o "-p $2" start)
}

pg_stop() {
  (cd / && pg_as "$(pg_bindir)/pg_ctl" -D "$1" -w -t 60 -s -m "${2:-fast}" stop)
}
