#!/usr/bin/env bash
# OpenStack Swift as an S3 service on loopback, which checks signatures, for a test: lives as long as this script's standard input
# stays open. The secret of its one access key, test:tester, is taken from SWIFT_SECRET. Prints the port that it listens on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/dev/postgres.sh"
command -v swift-proxy-server >/dev/null || { echo "test-swift: no Swift found; run ./dev test, or: apt-get install swift-proxy swift-account swift-container swift-object" >&2; exit 1; }
trap '' INT HUP
dir=$(mktemp -d "${TMPDIR:-/tmp}/kpi-test-swift.XXXXXX")
pids=()
finish() { kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"; }
trap finish EXIT
mkdir -p "$dir/devices/one"
printf '[swift-hash]\nswift_hash_path_prefix = test\nswift_hash_path_suffix = test\n' >"$dir/swift.conf"

# common PORT: what each server's settings begin with.
common() { printf '[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = %s\nworkers = 0\nuser = %s\nswift_dir = %s\ndevices = %s\nmount_check = false\n' "$1" "$(id -un)" "$dir" "$dir/devices"; }

start() { "swift-$1-server" "$dir/$1.conf" >"$dir/$1.log" 2>&1 </dev/null & pids+=($!); }

for kind in account container object; do
  port=$(free_port)
  { common "$port"; printf '[pipeline:main]\npipeline = %s-server\n[app:%s-server]\nuse = egg:swift#%s\n' "$kind" "$kind" "$kind"; } >"$dir/$kind.conf"
  (cd "$dir" && swift-ring-builder $kind.builder create 2 1 1 && swift-ring-builder $kind.builder add "r1z1-127.0.0.1:$port/one" 1 && swift-ring-builder $kind.builder rebalance) >"$dir/ring.log" 2>&1 || [ -f "$dir/$kind.ring.gz" ]
  start $kind
done
port=$(free_port)
{ common "$port"; cat <<INI
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = ${SWIFT_SECRET:?} .admin
INI
} >"$dir/proxy.conf"
start proxy
until curl -s -o "$dir/answer" "http://127.0.0.1:$port/"; do kill -0 "${pids[-1]}" 2>/dev/null || { cat "$dir"/*.log >&2; exit 1; }; sleep 0.1; done
echo "$port"
cat >/dev/null
