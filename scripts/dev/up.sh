# shellcheck shell=bash
# ./dev up: PostgreSQL, issuer, KPI service, control plane, two agents; then the sample jobs.

# Runs a step and shows that it does; on a terminal with a clock. What it says goes to a log, shown when it fails.
# In the background, so that a signal is answered at once; without the lock, which must not live as long as a server.
step_job=
step() { # TITLE COMMAND…
  local title=$1 began=$SECONDS log=$STATE/logs/up.log code=0; shift
  ("$@") >"$log" 2>&1 8>&- & step_job=$!
  while [ -t 2 ] && kill -0 "$step_job" 2>/dev/null; do printf '\r\033[K  … %s (%ds)' "$title" $((SECONDS - began)) >&2; sleep 0.3; done
  wait "$step_job" || code=$?
  step_job=
  [ ! -t 2 ] || printf '\r\033[K' >&2
  [ "$code" = 0 ] || { say "  ✗ $title"; tail -30 "$log" >&2; return 1; }
  say "  ✓ $title ($((SECONDS - began))s)"
}

end_step() { [ -z "$step_job" ] || { end_tree "$step_job"; wait "$step_job" 2>/dev/null || true; step_job=; }; }

end_tree() { # PID
  local child
  for child in $(ps -o pid= --ppid "$1" 2>/dev/null); do end_tree "$child"; done
  kill -TERM "$1" 2>/dev/null || true
}

# name, project, executable
APPS=(
  "issuer samples/Issuer kpi-issuer"
  "kpi-service samples/KpiService kpi-sample-service"
  "control src/KpiControl.Control kpi-control"
  "agent src/KpiControl.Agent kpi-agent"
  "cli src/KpiControl.Cli kpictl"
)

# Published beside what runs, and put in its place only where it differs: a process must not lose its files under it.
publish_apps() {
  local name project
  for app in "${APPS[@]}"; do
    read -r name project _ <<<"$app"
    dotnet publish "$project" -c Release -r "$(runtime)" --self-contained false -o "$STATE/build/$name" -v q --nologo -clp:ErrorsOnly || return 1
  done
}

runtime() { case $(uname -m) in aarch64 | arm64) echo linux-arm64 ;; *) echo linux-x64 ;; esac; }

install_apps() {
  local name executable process
  for app in "${APPS[@]}"; do
    read -r name _ executable <<<"$app"
    diff -rq "$STATE/build/$name" "$STATE/app/$name" >/dev/null 2>&1 && continue
    for process in "${PROCESSES[@]}"; do case $process in "$name" | "$name"-eu | "$name"-us) stop "$process" ;; esac; done
    rm -rf "$STATE/app/$name"; cp -r "$STATE/build/$name" "$STATE/app/$name"
  done
  ln -sfn "$STATE/app/cli/kpictl" "$STATE/bin/kpictl"
}

up_postgres() {
  local data; data=$(pg_data)
  if [ ! -f "$data/PG_VERSION" ]; then
    mkdir -p "$data"
    pg_init "$data" "$PG_PASSWORD"
  fi
  (cd / && postgres_running) || pg_start "$data" "$PG_PORT"
  up_databases
}

# Four login roles, each a member of one of the product's groups; the warehouse is the region's, not the product's.
up_databases() {
  local role group password
  for role in owner:OWNER requests:REQUESTS scheduler:SCHEDULER reader:READER; do
    group=kpi_${role%%:*}; password=${role##*:}_PASSWORD
    pg_sql postgres <<SQL
DO \$\$ BEGIN
  IF to_regrole('$group') IS NULL THEN CREATE ROLE $group NOLOGIN; END IF;
  IF to_regrole('kpi_dev_${role%%:*}') IS NULL THEN CREATE ROLE kpi_dev_${role%%:*} LOGIN; END IF;
END \$\$;
ALTER ROLE kpi_dev_${role%%:*} PASSWORD '${!password}';
GRANT $group TO kpi_dev_${role%%:*};
SQL
  done
  pg_sql postgres <<SQL
DO \$\$ BEGIN IF to_regrole('kpi_dev_warehouse') IS NULL THEN CREATE ROLE kpi_dev_warehouse LOGIN; END IF; END \$\$;
ALTER ROLE kpi_dev_warehouse PASSWORD '$WAREHOUSE_PASSWORD';
SELECT 'CREATE DATABASE kpi OWNER kpi_owner' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'kpi') \gexec
SELECT 'CREATE DATABASE warehouse OWNER kpi_dev_warehouse' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'warehouse') \gexec
SQL
}

# The sample files, as a pipeline would have loaded them.
up_warehouse() {
  PGPASSWORD=$WAREHOUSE_PASSWORD bash samples/warehouse/load-postgresql.sh "postgresql://kpi_dev_warehouse@127.0.0.1:$PG_PORT/warehouse"
}

up_issuer() {
  running issuer || start issuer "$STATE/app/issuer/kpi-issuer" serve --dir "$STATE/issuer" --port "$ISSUER_PORT"
  wait_for "the issuer" issuer curl -fs "http://127.0.0.1:$ISSUER_PORT/jwks"
}

up_service() {
  rm -f "$STATE/service-token"; (umask 077; printf %s "$SERVICE_PASSWORD" >"$STATE/service-token")
  running kpi-service || start kpi-service "$STATE/app/kpi-service/kpi-sample-service" \
    --data "$PWD/samples/data" --token-file "$STATE/service-token" --urls "http://127.0.0.1:$SERVICE_PORT"
  wait_for "the KPI service" kpi-service curl -fs "http://127.0.0.1:$SERVICE_PORT/health"
}

# The agents' authority, which signs their certificates, and the control plane's own certificate for their door. Whoever runs
# with the ones before starts anew.
up_certificates() {
  local tls=$STATE/tls ec=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  openssl x509 -checkend 86400 -noout -in "$tls/server.crt" >/dev/null 2>&1 && return
  stop agent-us; stop agent-eu; stop control
  (umask 077
   [ -s "$tls/ca.crt" ] && openssl x509 -checkend 8640000 -noout -in "$tls/ca.crt" >/dev/null ||
     openssl req -x509 "${ec[@]}" -keyout "$tls/ca.key" -out "$tls/ca.crt" -days 825 -subj "/CN=KpiControl on this machine"
   openssl req "${ec[@]}" -keyout "$tls/server.key" -out "$tls/server.csr" -subj /CN=localhost
   openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial -out "$tls/server.crt" -days 90 \
     -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n'))
}

# No password on a command line, where every user of the machine could read it.
up_control() {
  [ -s "$STATE/audit-key.pem" ] || (umask 077; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$STATE/audit-key.pem" 2>/dev/null)
  running control || (
    export KPI_Database__Migrations KPI_Database__Requests KPI_Database__Scheduler
    KPI_Database__Migrations=$(pg_string kpi_dev_owner "$OWNER_PASSWORD" kpi)
    KPI_Database__Requests=$(pg_string kpi_dev_requests "$REQUESTS_PASSWORD" kpi)
    KPI_Database__Scheduler=$(pg_string kpi_dev_scheduler "$SCHEDULER_PASSWORD" kpi)
    export KPI_Authentication__Issuer="http://127.0.0.1:$ISSUER_PORT" KPI_Authentication__Audience=kpi-control
    export KPI_Listen__Grpc="http://127.0.0.1:$GRPC_PORT" KPI_Listen__Rest="http://127.0.0.1:$REST_PORT"
    export KPI_Listen__Agents="https://127.0.0.1:$AGENTS_PORT" KPI_Listen__CertificateFile="$STATE/tls/server.crt" KPI_Listen__CertificateKeyFile="$STATE/tls/server.key"
    export KPI_Ca__CertificateFile="$STATE/tls/ca.crt" KPI_Ca__KeyFile="$STATE/tls/ca.key"
    export KPI_Tenants__0__Id=acme KPI_Tenants__0__HomeRegion=eu KPI_Tenants__0__Regions__0=eu KPI_Tenants__0__Regions__1=us
    export KPI_Tenants__1__Id=globex KPI_Tenants__1__HomeRegion=eu KPI_Tenants__1__Regions__0=eu
    export KPI_Leases__Node=dev KPI_Audit__SigningKeyFile="$STATE/audit-key.pem"
    cd "$STATE/app/control" && start control ./kpi-control
  )
  # Any answer will do: without a token it is a refusal, and only a migrated process gives one.
  wait_for "the control plane" control curl -s "http://127.0.0.1:$REST_PORT/api/kpi-jobs"
}

enrolment_token() { # REGION
  KPICTL_SERVER=$CONTROL_SCHEME://127.0.0.1:$GRPC_PORT KPICTL_TOKEN=$(issuer_token operator) "$STATE/bin/kpictl" agents enrol "agent-$1" \
    --region "$1" --tenants acme --reason "a system on one machine" -o name
}

# An agent renews its certificate by itself, unless it was down for longer than that lasts, or the authority is another.
enrol_agent() { # REGION
  local state=$STATE/agent-$1 identity=$STATE/agent-$1/outbox/identity
  openssl x509 -checkend 60 -noout -in "$identity/agent.pem" >/dev/null 2>&1 && openssl verify -CAfile "$STATE/tls/ca.crt" "$identity/agent.pem" >/dev/null 2>&1 ||
    (umask 077; rm -rf "$identity"; enrolment_token "$1" >"$state/enrolment")
}

up_agent() { # REGION
  local agent=agent-$1
  running "$agent" || enrol_agent "$1"
  running "$agent" || (
    export Agent__Name=$agent Agent__Region=$1 Agent__ConnectionsFile="$PWD/samples/connections/$1.yaml"
    export Agent__ControlPlane__Address="https://127.0.0.1:$AGENTS_PORT" Agent__ControlPlane__CaFile="$STATE/tls/ca.crt"
    export Agent__ControlPlane__EnrolmentAddress="http://127.0.0.1:$GRPC_PORT" Agent__ControlPlane__EnrolmentToken="file:$STATE/$agent/enrolment"
    export Agent__Outbox__Directory="$STATE/$agent/outbox"
    export KPI_EU_WAREHOUSE_PORT=$PG_PORT KPI_EU_WAREHOUSE_USER=kpi_dev_warehouse KPI_EU_WAREHOUSE_PASSWORD=$WAREHOUSE_PASSWORD
    export KPI_US_WAREHOUSE_FILE="$STATE/$agent/warehouse.duckdb"
    export KPI_SERVICE_PORT=$SERVICE_PORT KPI_SERVICE_TOKEN_FILE="$STATE/service-token"
    cd "$STATE/$agent" && start "$agent" "$STATE/app/agent/kpi-agent"
  )
}

up_agents() { up_agent eu; up_agent us; sleep 1; running agent-eu && running agent-us; }

dev_up() {
  local detach=
  case ${1:-} in --detach | -d) detach=1 ;; "") ;; *) die "up knows --detach, not $1" ;; esac
  state_open
  exec 8>"$STATE/lock"; flock -n 8 || die "another ./dev up is at work here"
  SECONDS=0
  say "KpiControl on this machine"
  trap "up_ends '$detach'" EXIT
  trap 'exit 130' INT; trap 'exit 143' TERM
  step "what the machine needs" install_missing
  step "build" publish_apps
  step "programs in place" install_apps
  step "PostgreSQL on 127.0.0.1:$PG_PORT" up_postgres
  step "the warehouse, loaded with the sample files" up_warehouse
  step "issuer of the demo principals' tokens" up_issuer
  step "KPI service (the HTTP executor's)" up_service
  step "certificates" up_certificates
  step "control plane: gRPC 127.0.0.1:$GRPC_PORT, REST 127.0.0.1:$REST_PORT" up_control
  step "agents: eu on PostgreSQL, us on DuckDB" up_agents
  prepare_samples
  local delivered=0; deliver_samples || delivered=1
  next_commands
  if [ -n "$detach" ]; then say "It goes on running: ./dev status, ./dev down"; return "$delivered"; fi
  say "Ctrl-C stops everything (--detach would leave it running)."
  exec 8>&-
  while running control; do sleep 1; done
  die "the control plane ended by itself; its log: ./dev logs control"
}

# In the foreground nothing outlives the command, however it ends; what was detached stays unless a signal cut its start short.
up_ends() { # DETACHED
  local code=$?
  trap - EXIT; trap '' INT TERM
  end_step
  if [ -z "$1" ] || [ "$code" -gt 128 ]; then say; dev_down 8>&-; fi
  exit "$code"
}

next_commands() {
  cat >&2 <<'TEXT'

Try next:
  eval "$(./dev env)"
  kpictl get --env dev                      the jobs, their last and next runs
  kpictl describe dso_daily --env dev       one job: contract, hash, schedule, dependencies
  kpictl history dso_daily --env dev        its runs
  kpictl explain dso_daily --env dev        why it ran, waits or was skipped
  psql "$KPI_WAREHOUSE" -c 'select kpi_id, period, dimensions, value from kpi_values order by 1, 2 limit 20'
TEXT
}
