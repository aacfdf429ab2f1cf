#!/usr/bin/env bash
# Builds both container images, starts them and runs a job through them until its values are shown. ./dev images
# Needs a docker daemon, or root (sudo) for podman. KPI_IMAGES_JOB names another sample job.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 NUGET_XMLDOC_MODE=skip
for part in scripts/dev/*.sh scripts/images/*.sh; do . "$part"; done

JOB=${KPI_IMAGES_JOB:-dso_daily}
SAMPLE_JOBS=("samples/jobs/$JOB.yaml")
CONTROL_SCHEME=https
VERSION=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
CONTROL_IMAGE=kpi-control:$VERSION
AGENT_IMAGE=kpi-agent:$VERSION

mkdir -p "$CACHE"
exec 8>"$CACHE/images.lock"; flock -n 8 || die "another ./dev images is at work on this machine"
started=
STATE=$(mktemp -d "${TMPDIR:-/tmp}/kpi-images.XXXXXX") # a system of its own, beside a running ./dev up

clean_up() {
  local code=$? name
  trap - EXIT
  trap '' INT TERM
  end_step
  if [ "$code" != 0 ] && [ -n "$started" ]; then
    for name in "${CONTAINERS[@]}"; do say "--- $name"; engine logs --tail 20 "$name" >&2 2>&1 || true; done
    say "dev: images: they were built, but the job did not come through"
  fi
  [ -z "$ENGINE" ] || remove_containers
  dev_down --purge >/dev/null 2>&1 || true
  rm -rf "$STATE"
  exit "$code"
}

# The values are the evidence: without them, or with others from the second region, nothing has been shown.
summary() {
  jq -er '[.evidence.points[]] | sort_by(.period) | if length == 0 then error("no values") else
    "\(length) values, the last \(last | [.period, (.dimensions // {} | .[]), (.value * 1000000 | round / 1000000)] | join(" "))" end' "$STATE/run.json" || die "images: the run has no values"
  grep -q 'same hash, the same' "$STATE/values" || die "images: the two regions do not have the same values"
}

size_of() { engine image inspect -f '{{.Size}}' "$1" | awk '{printf "%.0f MB", $1 / 1e6}'; }

state_open
trap clean_up EXIT
trap 'exit 130' INT TERM
say "The container images of KpiControl $VERSION"
step "what the machine needs" install_missing
find_engine
remove_containers
# Our own store alone; what docker keeps is its user's.
[ "$ENGINE" != podman ] || engine image prune -f --filter until=168h >/dev/null
find_bases
mkdir -p artifacts/sbom
step "what they are made of" write_sboms artifacts/sbom
step "image $CONTROL_IMAGE" build_image Dockerfile.control "$CONTROL_IMAGE"
step "image $AGENT_IMAGE" build_image Dockerfile.agent "$AGENT_IMAGE"
started=1
step "issuer and kpictl, which are in no image" local_programs
step "certificates of a day" make_certificates
export CURL_CA_BUNDLE=$STATE/tls/ca.crt SSL_CERT_FILE=$STATE/tls/ca.crt KPICTL_SERVER=https://127.0.0.1:$GRPC_PORT
step "PostgreSQL on 127.0.0.1:$PG_PORT" up_postgres
step "the warehouse, loaded with the sample files" up_warehouse
step "issuer" up_issuer
step "control plane, from its image" run_control
step "agents, from their image: eu on PostgreSQL, us on DuckDB" run_agents
prepare_samples
deliver_samples | tee "$STATE/values"
step "containers end by themselves" stop_containers
values=$(summary)
say
echo "images: $CONTROL_IMAGE ($(size_of "$CONTROL_IMAGE")), $AGENT_IMAGE ($(size_of "$AGENT_IMAGE")), by $ENGINE $BASES;" \
  "$JOB through both: $values; the same in both regions"
