# shellcheck shell=bash
CONTROL_SCHEME=http
ENV_TTL=3600 # seconds a token of ./dev env is good for

issuer_token() { "$STATE/app/issuer/kpi-issuer" token --dir "$STATE/issuer" --ttl "$ENV_TTL" --principal "$@"; }

dev_env() {
  local tokens
  state_read
  running issuer || die "nothing runs: ./dev up --detach"
  mapfile -t tokens < <(issuer_token admin author business technical operator auditor other-tenant)
  [ ${#tokens[@]} = 7 ] || die "the issuer gave no tokens; its log: ./dev logs issuer"
  cat <<TEXT
export KPI_PG='$(pg_url kpi_dev_reader "$READER_PASSWORD" kpi)'
export KPI_WAREHOUSE='$(pg_url kpi_dev_warehouse "$WAREHOUSE_PASSWORD" warehouse)'
export KPI_GRPC='127.0.0.1:$GRPC_PORT'
export KPI_REST='$CONTROL_SCHEME://127.0.0.1:$REST_PORT'
export KPI_TOKEN='${tokens[0]}'
export KPI_TOKEN_AUTHOR='${tokens[1]}'
export KPI_TOKEN_BUSINESS='${tokens[2]}'
export KPI_TOKEN_TECHNICAL='${tokens[3]}'
export KPI_TOKEN_OPERATOR='${tokens[4]}'
export KPI_TOKEN_AUDITOR='${tokens[5]}'
export KPI_TOKEN_OTHER_TENANT='${tokens[6]}'
export PATH='$STATE/bin':"\$PATH"
TEXT
}
