# shellcheck shell=bash
# The sample jobs, by the same doors as any user's: kpictl and REST. Every call may be repeated and changes nothing then.

# The day before which each table is complete (samples/data/README.md).
data_through() {
  case $1 in
    GDP_ElectricityGeneration) echo 2018-01-01 ;;
    GDP_Employment) echo 2016-01-01 ;;
    GDP_Unemployment) echo 2010-03-01 ;;
    GDP_Flights) echo 2001-04-01 ;;
    GDP_Receivables | GDP_Sales) echo 2025-01-01 ;;
    *) die "samples: nobody said through which day $1 is complete" ;;
  esac
}

rest() { # PATH [curl options]
  curl --fail-with-body -sS --max-time 30 -H "authorization: Bearer $KPI_TOKEN" "${@:2}" "$KPI_REST$1"
}

SAMPLES_LIMIT=300 # seconds; a run that meets a conflict is tried again after half a minute

SAMPLE_JOBS=(samples/jobs/*.yaml)

prepare_samples() {
  eval "$(dev_env)"
  export KPICTL_TENANT=acme
  step "contracts" kpictl contracts put -f samples/contracts/*.yaml
  step "jobs in dev (eu)" kpictl apply -f "${SAMPLE_JOBS[@]}" --env dev --region eu
  step "the same jobs in stg (us)" kpictl apply -f "${SAMPLE_JOBS[@]}" --env stg --region us
  # Ours alone: whoever tries the product out binds jobs of their own.
  rest "/api/kpi-jobs?page_size=1000" | jq -c --arg ours "$(sed -n 's/^job_id: *//p' "${SAMPLE_JOBS[@]}")" '
    ($ours | split("\n")) as $ours | [.jobs[] | select(.job_id | IN($ours[]))] | sort_by(.job_id, .environment)' >"$STATE/jobs.json"
  step "what they wait for: refreshes and signals" publish_facts
  trigger_all
}

# Shows what was delivered also where something was not.
deliver_samples() {
  local code=0
  await_all || code=1
  print_all
  return "$code"
}

# A job's last business date: the earliest of its inputs' last days, through other KPIs too. Prints "binding_id date"
# for every run that is needed: a KPI that another one reads must also have run for that other's date.
run_plan() {
  local dataset through=""
  for dataset in $(jq -r '[.[].dependencies[]? | select(.dep_type == "gdp") | .dep_value] | unique[]' "$STATE/jobs.json"); do
    through+="$dataset $(date -u -d "$(data_through "$dataset") - 1 day" +%F)"$'\n'
  done
  jq -r --arg through "$through" '
    ($through | split("\n") | map(select(. != "") | split(" ") | {key: .[0], value: .[1]}) | from_entries) as $last
    | . as $jobs
    | def upstream($job): [$job.dependencies[]? | select(.dep_type == "kpi") | .dep_value] as $wanted
        | $jobs[] | select(.environment == $job.environment and ("\(.kpi_id)@\(.contract_version)" | IN($wanted[])));
      def latest($job): [($job.dependencies[]? | select(.dep_type == "gdp") | $last[.dep_value]), (upstream($job) | latest(.))] | min;
      def runs($job; $date): {job: $job, date: $date}, (upstream($job) | runs(.; $date));
    [.[] | latest(.) as $date | runs(.; $date)] | unique_by(.job.binding_id, .date)
    | .[] | "\(.job.binding_id) \(.date)"' "$STATE/jobs.json"
}

publish_facts() {
  local environment dataset day id date name
  for environment in dev stg; do
    for dataset in $(jq -r '[.[].dependencies[]? | select(.dep_type == "gdp") | .dep_value] | unique[]' "$STATE/jobs.json"); do
      day=$(data_through "$dataset")
      kpictl signal refresh "$dataset" --env "$environment" --data-through "${day}T00:00:00Z" --run-id "samples-$day"
    done
  done
  while read -r id date; do
    environment=$(job_field "$id" .environment)
    for name in $(job_field "$id" '.dependencies[]? | select(.dep_type == "signal") | .dep_value'); do
      kpictl signal "$name" --env "$environment" --business-date "$date"
    done
  done < <(run_plan)
}

job_field() { jq -r --argjson id "$(printf '"%s"' "$1")" ".[] | select((.binding_id | tostring) == \$id) | $2" "$STATE/jobs.json"; }

# The newest run of a binding that ended its occurrence and meets a condition.
final_run() { # BINDING CONDITION [jq arguments]
  rest "/api/kpi-jobs/$1/history?page_size=200" |
    jq -c "${@:3}" "first(.runs[]? | select(.final and ($2))) | {run_id, slot_key, status, error_code, error_message}"
}

DELIVERED='.status == "success" or .status == "partial"'

# Leaves "binding date slot" a line in plan: of the run triggered now, or of one that delivered before.
trigger_all() {
  local id date before slot wanted=0
  : >"$STATE/plan"
  while read -r id date; do
    before=$(final_run "$id" ".business_date == \$date and ($DELIVERED)" --arg date "$date")
    if [ -n "$before" ]; then slot=$(jq -r .slot_key <<<"$before")
    else
      slot=$(rest "/api/kpi-jobs/$id/trigger" --json "{\"business_date\":\"$date\",\"reason\":\"./dev up\"}" | jq -r .occurrence.slot_key)
      case $slot in "" | null) die "$(job_name "$id") could not be triggered" ;; esac
      wanted=$((wanted + 1))
    fi
    echo "$id $date $slot" >>"$STATE/plan"
  done < <(run_plan)
  say "  ✓ $wanted runs triggered, $(($(wc -l <"$STATE/plan") - wanted)) had been delivered before"
}

# Leaves "binding date run status" a line in ended.
await_all() {
  local id date slot run all left=1 began=$SECONDS; all=$(wc -l <"$STATE/plan")
  : >"$STATE/ended"
  while [ "$left" -gt 0 ] && [ $((SECONDS - began)) -lt "$SAMPLES_LIMIT" ]; do
    left=0
    while read -r id date slot; do
      grep -q "^$id $date " "$STATE/ended" && continue
      run=$(final_run "$id" '.slot_key == $slot' --arg slot "$slot")
      if [ -n "$run" ]; then echo "$id $date $(jq -r '"\(.run_id) \(.status)"' <<<"$run")" >>"$STATE/ended"; else left=$((left + 1)); fi
    done <"$STATE/plan"
    [ ! -t 2 ] || printf '\r\033[K  … %d of %d runs ended (%ds)' $((all - left)) "$all" $((SECONDS - began)) >&2
    sleep 0.5
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
  report_ends "$all" "$left"
}

report_ends() { # ALL LEFT
  local id date slot run status bad=0
  while read -r id date slot; do
    read -r _ _ run status < <(grep "^$id $date " "$STATE/ended" || echo "- - - open")
    case $status in
      success | partial) ;;
      open) bad=$((bad + 1)); say "  ✗ $(job_name "$id") for $date has not ended: kpictl explain $(job_name "$id")" ;;
      *) bad=$((bad + 1)); say "  ✗ $(job_name "$id") for $date: $status: kpictl runs $run" ;;
    esac
  done <"$STATE/plan"
  [ "$bad" = 0 ] || { say "  $bad of $1 runs delivered nothing"; return 1; }
  say "  ✓ $1 runs delivered"
}

job_name() { job_field "$1" '"\(.environment)/\(.job_id)"'; }

# The values come from GetRun, as any client would see them; the twin in stg must be the same to the last digit.
print_all() {
  local id date run twin
  while read -r id date run _; do
    [ "$(job_field "$id" .environment)" = dev ] || continue
    # Only each job's own last date; runs for the sake of another KPI are in the history.
    [ "$date" = "$(awk -v id="$id" '$1 == id {print $2}' "$STATE/ended" | sort | tail -1)" ] || continue
    rest "/api/kpi-runs/$run" >"$STATE/run.json"
    twin=$(twin_of "$id" "$date")
    if [ -n "$twin" ]; then rest "/api/kpi-runs/$twin" >"$STATE/twin.json"; else echo '{}' >"$STATE/twin.json"; fi
    print_run
  done < <(sort -n "$STATE/ended")
}

twin_of() { # BINDING DATE: the run of the same job in stg
  local other; other=$(jq -r --arg job "$(job_field "$1" .job_id)" '.[] | select(.job_id == $job and .environment == "stg") | .binding_id' "$STATE/jobs.json")
  awk -v id="$other" -v date="$2" '$1 == id && $2 == date {print $3}' "$STATE/ended"
}

print_run() {
  jq -rn --slurpfile run "$STATE/run.json" --slurpfile twin "$STATE/twin.json" '
    def points: [.evidence.points[]? | {period, dimensions: (.dimensions // {}), metric, value, extensions}] | sort_by(.period, (.dimensions | tostring));
    def number: if . == null then "-" else (. * 1000000 | round / 1000000 | tostring) end;
    def pad($n): tostring | . + (" " * ([$n - length, 0] | max));
    def left($n): tostring | (" " * ([$n - length, 0] | max)) + .;
    $run[0] as $r | ($r | points) as $p | ($twin[0] | points) as $q
    | ([$p[].extensions // {} | keys_unsorted[]] | unique | (["MoM"] + (. - ["MoM"]))) as $extensions
    | "",
      "\($r.run.kpi_id)@\($r.run.contract_version)  \($r.run.job_id), business date \($r.run.business_date)",
      "  \("period" | pad(12))\("dimension" | pad(34))\("value" | left(16))\($extensions | map(left(12)) | join(""))",
      ($p[-12:][] | . as $x | "  \($x.period | pad(12))\([$x.dimensions | to_entries[] | .value] | join(", ") | if . == "" then "-" else . end | pad(34))\($x.value | number | left(16))\([$extensions[] as $e | $x.extensions[$e]? | number | left(12)] | join(""))"),
      (if ($p | length) > 12 then "  the last 12 of \($p | length): kpictl runs \($r.run.run_id) --points all" else empty end),
      "  from \([$r.evidence.lineage.sources[]? | .name + (if (.version // "") == "" then "" else "@" + .version end)] | join(", ")), by \($r.evidence.executor) on \($r.run.agent // $r.evidence.agent), run \($r.run.run_id), \($r.run.content_hash[0:19])…",
      (if ($q | length) == 0 then "  stg/us: no run"
       elif $p == $q and $r.run.content_hash == $twin[0].run.content_hash then "  stg/us on \($twin[0].run.agent): same hash, the same \($q | length) values"
       elif ($p | map(del(.value, .extensions))) == ($q | map(del(.value, .extensions)))
            and ([range($p | length) as $i | ($p[$i].value // 0) - ($q[$i].value // 0) | fabs <= 1e-9 * ([1, ($p[$i].value // 0 | fabs)] | max)] | all)
         then "  stg/us on \($twin[0].run.agent): same hash, the same \($q | length) values (to 1e-9)"
       else "  stg/us on \($twin[0].run.agent): OTHER VALUES, run \($twin[0].run.run_id)" end)'
}
