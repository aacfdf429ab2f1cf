# shellcheck shell=bash
# The base images: those that the Dockerfiles name, or, where their registry cannot be reached, stand-ins made here.

find_bases() {
  SDK_IMAGE=$(sed -n 's/^ARG SDK_IMAGE=//p' Dockerfile.control)
  RUNTIME_IMAGE=$(sed -n 's/^ARG RUNTIME_IMAGE=//p' Dockerfile.control)
  local named=$RUNTIME_IMAGE
  if pull_bases >"$STATE/logs/pull.log" 2>&1; then BASES="on $named"; return; fi
  say "  ! $named cannot be pulled here ($(tail -1 "$STATE/logs/pull.log" | cut -c1-160))"
  say "    stand-ins instead: this machine's .NET $(dotnet --version) on its own distribution, by debootstrap"
  make_bases
  BASES="on stand-ins for $named, which cannot be pulled here: .NET $(dotnet --version), $(distribution) by debootstrap"
}

# The registry's door first: a pull retries for minutes where there is no way out.
pull_bases() {
  local image
  for image in "$SDK_IMAGE" "$RUNTIME_IMAGE"; do
    has_image "$image" && continue
    curl -sS --max-time 10 -o /dev/null "https://${image%%/*}/v2/" 2>&1 || return 1
    engine pull -q "$image" || return 1
  done
}

distribution() { (. /etc/os-release; echo "$ID $VERSION_CODENAME"); }

# Kept under the name of what they were made from: another SDK or distribution makes others.
make_bases() {
  local codename dotnet root tag
  codename=$(. /etc/os-release; echo "$VERSION_CODENAME")
  dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
  root=localhost/kpicontrol-base/$codename:2
  tag=$(dotnet --version)-$codename-$(cat scripts/images/Dockerfile.base <(echo "$root") | cksum | cut -d' ' -f1)
  SDK_IMAGE=localhost/kpicontrol-base/sdk:$tag
  RUNTIME_IMAGE=localhost/kpicontrol-base/aspnet:$tag
  has_image "$root" || step "debootstrap of $codename" make_root "$codename" "$root"
  has_image "$RUNTIME_IMAGE" || step "base image with the runtime" make_base runtime "$RUNTIME_IMAGE"
  has_image "$SDK_IMAGE" || step "base image with the SDK" make_base sdk "$SDK_IMAGE"
}

make_base() { # TARGET NAME
  engine build "${BUILD_OPTIONS[@]}" --target "$1" --build-arg "ROOT=$root" -f scripts/images/Dockerfile.base -t "$2" "$dotnet"
}

# Half of a bootstrap is waiting for fsync, which memory does not do.
roomy() {
  if [ "$(df --output=avail -m /dev/shm 2>/dev/null | tail -1)" -gt 2000 ] 2>/dev/null && ! findmnt -no OPTIONS /dev/shm | grep -qE 'noexec|nodev'
  then echo /dev/shm; else echo "${TMPDIR:-/tmp}"; fi
}

make_root() { # CODENAME NAME
  local dir mirror ssl
  command -v debootstrap >/dev/null || apt_install debootstrap
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' | awk -v name="$1" '$2 == name {print $1; exit}')
  [ -n "$mirror" ] || { say "images: no apt mirror of $1 on this machine"; return 1; }
  ssl=$(apt-cache --names-only search '^libssl3(t64)?$' | awk '{print $1; exit}')
  dir=$(as_root mktemp -d "$(roomy)/kpi-root.XXXXXX")
  as_root debootstrap --variant=minbase --include="ca-certificates,$ssl,zlib1g,tzdata,libstdc++6" "$1" "$dir" "$mirror" || { as_root rm -rf "$dir"; return 1; }
  # Whom this machine trusts, a company's proxy among them: the build fetches packages.
  [ ! -f /etc/ssl/certs/ca-certificates.crt ] || as_root cp /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/"
  as_root tar -C "$dir" --one-file-system --exclude='./var/cache/apt/archives/*.deb' --exclude='./var/lib/apt/lists/*' -cf "$dir.tar" .
  as_root rm -rf "$dir"
  engine import "$dir.tar" "$2" || { as_root rm -f "$dir.tar"; return 1; }
  as_root rm -f "$dir.tar"
}
