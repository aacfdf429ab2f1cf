# shellcheck shell=bash
# Runs every test project, two at a time on one shared PostgreSQL, and the checks in scripts/checks.
# The last line is "N passed, N failed"; a skipped test, a project that ends without a verdict and a failed check count as failed.

TEST_PARALLEL=2
TEST_LIMIT=1100 # seconds for one project, which a hang would use up; the longest takes about 840 beside the others
TEST_SLOW=60   # seconds after which a test that still runs is named in the log

# Those that take long go first, so that no core idles at the end.
test_projects() {
  printf '%s\n' KpiControl.Control.Tests KpiControl.EndToEnd.Tests
  ls -d tests/*.Tests | xargs -n1 basename | grep -vxE 'KpiControl\.(Control|EndToEnd)\.Tests'
}

test_executable() { ls -t "tests/$1"/bin/Debug/*/"$1" 2>/dev/null | head -1; }

# run_project NAME FILTER: leaves NAME.log and NAME.sum ("passed failed") in $test_out.
run_project() {
  local name=$1 filter=$2 log=$test_out/$1.log arguments=(--progress off --no-ansi --long-running "$TEST_SLOW") code=0 passed failed skipped
  [ -z "$filter" ] || arguments+=(--filter-method "*$filter*")
  timeout --foreground -k 10 "$TEST_LIMIT" "$(test_executable "$name")" "${arguments[@]}" >"$log" 2>&1 </dev/null || code=$?
  passed=$(sed -n 's/^ *succeeded: *//p' "$log" | tail -1)
  failed=$(sed -n 's/^ *failed: *//p' "$log" | tail -1)
  skipped=$(sed -n 's/^ *skipped: *//p' "$log" | tail -1)
  failed=$((${failed:-0} + ${skipped:-0}))
  # 8: no test ran, which a filter may want.
  if [ "$code" != 0 ] && [ "$failed" = 0 ] && ! { [ "$code" = 8 ] && [ -n "$filter" ]; }; then failed=1; fi
  echo "${passed:-0} $failed" >"$test_out/$name.sum"
}

run_check() {
  local name code=0
  name=$(basename "$1" .sh)
  timeout --foreground -k 10 "$TEST_LIMIT" bash "$1" >"$test_out/$name.log" 2>&1 </dev/null || code=$?
  if [ "$code" = 0 ]; then echo "1 0"; else echo "0 1"; fi >"$test_out/$name.sum"
}

run_all() {
  local filter=$1 name check
  for name in $(test_projects); do
    while [ "$(jobs -rp | wc -l)" -gt "$TEST_PARALLEL" ]; do wait -n || true; done
    (run_project "$name" "$filter"; report "$name") 9>&- &
  done
  for check in scripts/checks/*.sh; do
    [ -f "$check" ] && [ -z "$filter" ] || continue
    while [ "$(jobs -rp | wc -l)" -gt "$TEST_PARALLEL" ]; do wait -n || true; done
    (run_check "$check"; report "$(basename "$check" .sh)") 9>&- &
  done
}

report() {
  local passed failed
  read -r passed failed <"$test_out/$1.sum"
  if [ "$failed" != 0 ]; then
    printf '\n--- %s\n' "$1"; grep -vE '^ *at .*(Xunit|System\.)' "$test_out/$1.log" | tail -120; printf -- '--- end of %s\n\n' "$1"
  fi
  printf '%-40s %5d passed %5d failed %6ds\n' "$1" "$passed" "$failed" "$SECONDS"
}

# The server ends when descriptor 9 closes, so also when this script is killed; no child may inherit it.
start_test_postgres() {
  mkfifo "$test_out/hold"
  setsid bash scripts/test-postgres.sh <"$test_out/hold" >"$test_out/postgres" 2>"$test_out/postgres.err" &
  test_postgres=$!
  exec 9>"$test_out/hold"
  until [ -s "$test_out/postgres" ]; do
    kill -0 "$test_postgres" 2>/dev/null || die "PostgreSQL did not start: $(cat "$test_out/postgres.err")"
    sleep 0.1
  done
  KPI_TEST_PG=$(cat "$test_out/postgres"); export KPI_TEST_PG
}

dev_test() {
  local sum passed=0 failed=0 p f tools
  install_missing
  # The network is idle while the compiler works.
  install_test_tools & tools=$!
  dev_build
  wait "$tools"
  SECONDS=0
  test_out=$(mktemp -d "${TMPDIR:-/tmp}/kpi-test.XXXXXX")
  trap 'exec 9>&-; wait "${test_postgres:-}" 2>/dev/null; rm -rf "$test_out"' EXIT
  trap 'trap - INT TERM; kill 0' INT TERM
  start_test_postgres
  run_all "${1:-}"
  wait $(jobs -rp | grep -vx "$test_postgres") || true
  for sum in "$test_out"/*.sum; do
    read -r p f <"$sum"
    passed=$((passed + p)) failed=$((failed + f))
  done
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
