# shellcheck shell=bash
# What the machine must have. Nothing is fetched where it is there already.

say() { printf '%s\n' "$*" >&2; }
die() { say "dev: $*"; exit 1; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# apt_install PACKAGE…: says what it does; the package lists are refreshed once.
apt_install() {
  command -v apt-get >/dev/null || die "missing here: $*. Install them and call again (this machine has no apt-get to do it)."
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "missing here: $*. As root: apt-get install $*"
  say "dev: installing $* with apt-get"
  if [ -z "${apt_lists_fresh:-}" ]; then as_root apt-get update -qq >&2; apt_lists_fresh=1; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# Debian starts the servers that it installs, unless a policy says no. Tests start those that they need.
apt_install_stopped() {
  local policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then apt_install "$@"; return; fi
  ( # However it ends: a policy that stayed would keep the machine's own services down.
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
    apt_install "$@"
  )
}

# Debian's package would start a server of its own on 5432, which nobody asked for.
install_postgres() {
  [ -z "$(pg_bindir)" ] || return 0
  apt_install postgresql-common
  as_root sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  apt_install postgresql
}

install_missing() {
  command -v dotnet >/dev/null || die "the .NET 10 SDK is needed and not here. See https://dot.net"
  local wanted=() tool
  for tool in git curl jq openssl; do command -v "$tool" >/dev/null || wanted+=("$tool"); done
  command -v setsid >/dev/null || wanted+=(util-linux)
  command -v ps >/dev/null || wanted+=(procps)
  [ ${#wanted[@]} -eq 0 ] || apt_install "${wanted[@]}"
  install_postgres
}

# What only the tests need: a second opinion on our schemas, protos and charts comes from npm packages,
# pinned by the lock files beside the tests.
install_test_tools() {
  local wanted=() lock dir
  command -v node >/dev/null || wanted+=(nodejs)
  command -v npm >/dev/null || wanted+=(npm)
  command -v unzip >/dev/null || wanted+=(unzip)
  command -v gpg >/dev/null && command -v gpg-agent >/dev/null || wanted+=(gpg gpg-agent)
  [ -x /usr/sbin/sshd ] || wanted+=(openssh-server)
  [ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || wanted+=(pgbouncer)
  command -v swift-proxy-server >/dev/null || wanted+=(swift-proxy swift-account swift-container swift-object)
  [ ${#wanted[@]} -eq 0 ] || apt_install_stopped "${wanted[@]}"
  while read -r lock; do
    dir=$(dirname "$lock")
    [ "$dir/node_modules/.package-lock.json" -nt "$lock" ] && continue
    say "dev: installing the npm packages of $dir"
    npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --silent >&2
    touch "$dir/node_modules/.package-lock.json"
  done < <(git ls-files '*package-lock.json')
}
