# shellcheck shell=bash
# What outlives a command: ports and passwords, chosen once at the first start and kept in .kpi/ (owner only).

state_open() {
  mkdir -p "$STATE"; chmod 700 "$STATE"
  mkdir -p "$STATE"/{run,logs,app,bin,issuer,tls,agent-eu,agent-us}
  if [ ! -f "$STATE/settings" ]; then
    # A port that is taken later is met by a plain error of the process that wanted it.
    (umask 077; {
      local name
      for name in PG ISSUER GRPC REST AGENTS SERVICE; do echo "${name}_PORT=$(free_port)"; done
      echo "PG_CLUSTER=$(random_secret | cut -c1-10)"
      for name in PG OWNER REQUESTS SCHEDULER READER WAREHOUSE SERVICE; do echo "${name}_PASSWORD=$(random_secret)"; done
    } >"$STATE/settings.new")
    mv "$STATE/settings.new" "$STATE/settings"
  fi
  grep -q ^AGENTS_PORT= "$STATE/settings" || echo "AGENTS_PORT=$(free_port)" >>"$STATE/settings" # of a state that is older than the agents' door
  . "$STATE/settings"
}

# For commands that need a system that was started before.
state_read() {
  [ -f "$STATE/settings" ] || die "nothing was started here yet: ./dev up"
  . "$STATE/settings"
}

# As root the server runs as another user, who cannot enter .kpi/. Named by this state and not by its path: what a checkout that was deleted
# left there has passwords that nobody knows. (Of a state that is older it is the path that names it.)
pg_data() {
  if [ "$(id -u)" = 0 ]; then echo "/var/lib/postgresql/kpi-dev-${PG_CLUSTER:-$(printf %s "$STATE" | cksum | cut -d' ' -f1)}"; else echo "$STATE/pg"; fi
}

pg_url() { # LOGIN PASSWORD DATABASE
  echo "postgresql://$1:$2@127.0.0.1:$PG_PORT/$3"
}

pg_string() { # LOGIN PASSWORD DATABASE, as Npgsql has it
  echo "Host=127.0.0.1;Port=$PG_PORT;Username=$1;Password=$2;Database=$3"
}

pg_sql() { # DATABASE, statements on standard input; as the superuser
  PGPASSWORD=$PG_PASSWORD "$(pg_bindir)/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$PG_PORT" -U postgres -d "$1" "${@:2}"
}
