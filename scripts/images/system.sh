# shellcheck shell=bash
# The system that the images are tried in: PostgreSQL and the local issuer as ./dev up has them, control plane and agents
# as containers, as the charts run them: not root, nothing writable but what is named, no capabilities, TLS.

CONTAINERS=(kpi-images-control kpi-images-agent-eu kpi-images-agent-us)

# As ./dev test built them, if it did.
local_programs() {
  local project
  for project in samples/Issuer src/KpiControl.Cli; do dotnet build "$project" -v q --nologo -clp:ErrorsOnly || return 1; done
  ln -s "$PWD/samples/Issuer/bin/Debug/net10.0" "$STATE/app/issuer"
  ln -s "$PWD/src/KpiControl.Cli/bin/Debug/net10.0/kpictl" "$STATE/bin/kpictl"
}

# An authority of a day and a certificate for loopback. Containers run as another user, who must read the key; the
# directory above is closed to everybody else.
make_certificates() {
  local dir=$STATE/tls; mkdir -p "$dir"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=kpi-images-authority \
    -keyout "$dir/ca.key" -out "$dir/ca.crt" || return 1
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=kpi-control -keyout "$dir/tls.key" -out "$STATE/tls.csr" || return 1
  openssl x509 -req -in "$STATE/tls.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 1 -out "$dir/tls.crt" \
    -extfile <(printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n') || return 1
  # The group is that of the image's user; a key that everybody can read is refused.
  chmod 755 "$dir"; chmod 644 "$dir"/*; chmod 640 "$dir"/*.key; chgrp 1654 "$dir"/*.key || return 1
}

# run_container NAME OPTIONS…: secrets come by name from the environment, never on a command line.
run_container() {
  engine run -d --name "$1" --network host --read-only --tmpfs /tmp --cap-drop all --security-opt no-new-privileges --memory 512m "${@:2}"
}

run_control() {
  export KPI_Database__Migrations KPI_Database__Requests KPI_Database__Scheduler
  KPI_Database__Migrations=$(pg_string kpi_dev_owner "$OWNER_PASSWORD" kpi)
  KPI_Database__Requests=$(pg_string kpi_dev_requests "$REQUESTS_PASSWORD" kpi)
  KPI_Database__Scheduler=$(pg_string kpi_dev_scheduler "$SCHEDULER_PASSWORD" kpi)
  run_container kpi-images-control -v "$STATE/tls:/tls:ro" \
    -e KPI_Database__Migrations -e KPI_Database__Requests -e KPI_Database__Scheduler \
    -e KPI_Authentication__Issuer="http://127.0.0.1:$ISSUER_PORT" -e KPI_Authentication__Audience=kpi-control \
    -e KPI_Listen__Grpc="https://127.0.0.1:$GRPC_PORT" -e KPI_Listen__Rest="https://127.0.0.1:$REST_PORT" \
    -e KPI_Listen__CertificateFile=/tls/tls.crt -e KPI_Listen__CertificateKeyFile=/tls/tls.key \
    -e KPI_Listen__Agents="https://127.0.0.1:$AGENTS_PORT" -e KPI_Ca__CertificateFile=/tls/ca.crt -e KPI_Ca__KeyFile=/tls/ca.key \
    -e KPI_Tenants__0__Id=acme -e KPI_Tenants__0__HomeRegion=eu -e KPI_Tenants__0__Regions__0=eu -e KPI_Tenants__0__Regions__1=us \
    -e KPI_Leases__Node=images "$CONTROL_IMAGE" || return 1
  answers kpi-images-control curl -fsS "https://127.0.0.1:$REST_PORT/health"
}

# The samples' own connections: eu on PostgreSQL, us on DuckDB, whose file and native library live in the container.
run_agent() { # REGION
  export KPI_AGENT_ENROLMENT KPI_EU_WAREHOUSE_PASSWORD=$WAREHOUSE_PASSWORD
  KPI_AGENT_ENROLMENT=$(enrolment_token "$1") || return 1
  run_container "kpi-images-agent-$1" -v "$PWD/samples:/samples:ro" -v "$STATE/tls/ca.crt:/tls/ca.crt:ro" --stop-timeout 60 \
    -e Agent__Health__Listen="http://127.0.0.1:$(free_port)" -e Agent__Name="agent-$1" -e Agent__Region="$1" -e Agent__ConnectionsFile="/samples/connections/$1.yaml" -e Agent__Slots=1 \
    -e Agent__ControlPlane__Address="https://127.0.0.1:$AGENTS_PORT" -e Agent__ControlPlane__CaFile=/tls/ca.crt \
    -e Agent__ControlPlane__EnrolmentAddress="https://127.0.0.1:$GRPC_PORT" -e Agent__ControlPlane__EnrolmentToken=env:KPI_AGENT_ENROLMENT -e KPI_AGENT_ENROLMENT \
    -e KPI_EU_WAREHOUSE_PORT="$PG_PORT" -e KPI_EU_WAREHOUSE_USER=kpi_dev_warehouse -e KPI_EU_WAREHOUSE_PASSWORD \
    -e KPI_US_WAREHOUSE_FILE=/var/lib/kpi-agent/warehouse.duckdb \
    -e KPI_SERVICE_PORT=1 -e KPI_SERVICE_TOKEN_FILE=/nobody-asks "$AGENT_IMAGE"
}

# A setting that is refused ends an agent within a second; a region nobody serves would be noticed in minutes.
run_agents() {
  run_agent eu && run_agent us && sleep 3 || return 1
  answers kpi-images-agent-eu true && answers kpi-images-agent-us true
}

# answers CONTAINER COMMAND…: until it succeeds, or the container ended, or a minute has passed.
answers() {
  local name=$1 tries=0; shift
  while [ "$(engine inspect -f '{{.State.Running}}' "$name")" = true ] && [ "$tries" -lt 150 ]; do
    ! "$@" >/dev/null 2>&1 || return 0
    tries=$((tries + 1)); sleep 0.3
  done
  engine logs "$name"; echo "$name does not answer"; return 1
}

# Agents first: they drain, and what they finished is recorded before control goes. Each must end by itself with 0.
stop_containers() {
  local name code
  for name in kpi-images-agent-us kpi-images-agent-eu kpi-images-control; do
    engine stop -t 60 "$name" || return 1
    code=$(engine inspect -f '{{.State.ExitCode}}' "$name")
    [ "$code" = 0 ] || { engine logs --tail 20 "$name"; echo "$name ended with $code"; return 1; }
  done
}

# By name: also what an earlier call left behind that was killed.
remove_containers() {
  local name
  for name in "${CONTAINERS[@]}"; do engine rm -f -t 0 "$name" >/dev/null 2>&1 || engine rm -f "$name" >/dev/null 2>&1 || true; done
}
