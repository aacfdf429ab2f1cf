# shellcheck shell=bash
# Starting and ending our own processes, by pid and start time: a pid alone may have become somebody else's.

born() { cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null; }

running() { # NAME
  local pid birth
  read -r pid birth 2>/dev/null <"$STATE/run/$1.pid" && [ -n "$pid" ] && [ "$(born "$pid")" = "$birth" ]
}

pid_of() { cut -d' ' -f1 "$STATE/run/$1.pid"; }

start() { # NAME COMMAND…
  local name=$1 pid; shift
  setsid "$@" >>"$STATE/logs/$name.log" 2>&1 </dev/null &
  pid=$!
  echo "$pid $(born "$pid")" >"$STATE/run/$name.pid"
}

stop() { # NAME
  local pid waited=0
  if running "$1"; then
    pid=$(pid_of "$1")
    kill -TERM "$pid" 2>/dev/null || true
    while running "$1"; do
      sleep 0.1; waited=$((waited + 1))
      # An agent drains for at most half a minute; one that takes longer hangs.
      [ "$waited" -lt 450 ] || kill -KILL "$pid" 2>/dev/null || true
    done
  fi
  rm -f "$STATE/run/$1.pid"
}

# wait_for WHAT NAME COMMAND…: until it succeeds, or the process NAME is gone, or a minute has passed.
wait_for() {
  local what=$1 name=$2 tries=0; shift 2
  until "$@" >/dev/null 2>&1; do
    running "$name" || { tail -5 "$STATE/logs/$name.log" >&2; die "$what did not start; its log: ./dev logs $name"; }
    tries=$((tries + 1)); [ "$tries" -lt 300 ] || die "$what did not answer within a minute; its log: ./dev logs $name"
    sleep 0.2
  done
}

PROCESSES=(issuer kpi-service control agent-eu agent-us)

postgres_running() { [ -f "$STATE/settings" ] && pg_as "$(pg_bindir)/pg_ctl" -D "$(pg_data)" status >/dev/null 2>&1; }

dev_down() {
  local name
  state_read
  for name in agent-us agent-eu control kpi-service issuer; do stop "$name"; done
  if (cd / && postgres_running); then pg_stop "$(pg_data)"; fi
  if [ "${1:-}" = --purge ]; then rm -rf "$(pg_data)" "$STATE"; say "stopped; everything of it is removed"; else say "stopped; the data stays (./dev down --purge removes it)"; fi
}

dev_status() {
  local name
  state_read
  if (cd / && postgres_running); then echo "postgres     running   127.0.0.1:$PG_PORT"; else echo "postgres     stopped"; fi
  for name in "${PROCESSES[@]}"; do
    if running "$name"; then printf '%-12s running   pid %-8s %s\n' "$name" "$(pid_of "$name")" "$(address_of "$name")"
    else printf '%-12s stopped\n' "$name"; fi
  done
  running control
}

address_of() {
  case $1 in
    issuer) echo "http://127.0.0.1:$ISSUER_PORT" ;;
    kpi-service) echo "http://127.0.0.1:$SERVICE_PORT" ;;
    control) echo "gRPC 127.0.0.1:$GRPC_PORT, REST http://127.0.0.1:$REST_PORT" ;;
  esac
}

dev_logs() {
  state_read
  local name=${1:-}
  if [ "$name" = postgres ]; then (cd / && pg_as tail -n 50 -F "$(pg_data)/server.log")
  elif [ -n "$name" ]; then [ -f "$STATE/logs/$name.log" ] || die "no log of '$name'; there are: postgres ${PROCESSES[*]}"; tail -n 50 -F "$STATE/logs/$name.log"
  else tail -n 20 -F "$STATE"/logs/*.log; fi
}
