#!/usr/bin/env bash
# The charts lint and render with both majors of helm, refuse bad values, and what they render is valid Kubernetes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
faults=0
fault() { echo "FAULT: $*"; faults=$((faults + 1)); }

for helm in 3 4; do
  bash scripts/helm.sh "$helm" version --short
  for chart in kpi-control kpi-agent; do
    for values in defaults charts/"$chart"/ci/*.yaml; do
      options=(); [ "$values" = defaults ] || options=(-f "$values")
      name=$out/$helm-$chart-$(basename "$values" .yaml).yaml
      bash scripts/helm.sh "$helm" lint --strict --quiet charts/"$chart" "${options[@]}" || fault "helm $helm lint of $chart with $values"
      bash scripts/helm.sh "$helm" template "$chart" charts/"$chart" "${options[@]}" >"$name" || fault "helm $helm template of $chart with $values"
    done
    # The first line says what the refusal must name: another mistake in the file would prove nothing.
    for values in tests/charts/bad/"$chart"/*.yaml; do
      expected=$(sed -n '1s/^# refused: //p' "$values")
      for verb in "lint --strict" "template try"; do
        if bash scripts/helm.sh "$helm" $verb charts/"$chart" -f "$values" >"$out/refusal" 2>&1; then fault "helm $helm $verb takes $values"
        elif [ -z "$expected" ] || ! grep -q "$expected" "$out/refusal"; then fault "helm $helm $verb refuses $values, but not for '$expected'"; cat "$out/refusal"; fi
      done
    done
  done
done

node tests/charts/validate.mjs "$out"/[34]-*.yaml || fault "the models refuse what was rendered"
for broken in required-field-missing wrong-type; do
  ! node tests/charts/validate.mjs tests/charts/broken/$broken.yaml || fault "the models take $broken.yaml"
done
echo "charts: $faults faults"
[ "$faults" = 0 ]
