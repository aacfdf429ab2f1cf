# shellcheck shell=bash
# What builds and runs containers here: a docker daemon that answers, or podman, installed if need be.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/kpicontrol # outside of the work tree: the next clone finds the layers again
ENGINE=
BUILD_OPTIONS=()

find_engine() {
  if command -v docker >/dev/null && timeout 20 docker info >/dev/null 2>&1; then ENGINE=docker; return; fi
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || sudo true ||
    die "images: no docker daemon answers, and podman needs root here. Start docker, or call as root or as one who may sudo"
  local wanted=() tool
  for tool in podman runc; do command -v "$tool" >/dev/null || wanted+=("$tool"); done
  [ ${#wanted[@]} -eq 0 ] || apt_install "${wanted[@]}"
  ENGINE=podman BUILD_OPTIONS=(--isolation oci --pull=never)
  podman_settings
}

# runc and cgroupfs: crun refuses hybrid cgroups, and no systemd may be there. podman asks for a million files,
# which is more than many machines allow.
podman_settings() {
  mkdir -p "$CACHE/containers"
  cat >"$CACHE/containers/containers.conf" <<'TEXT'
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
TEXT
  cat >"$CACHE/containers/storage.conf" <<TEXT
[storage]
driver = "overlay"
graphroot = "$CACHE/containers/storage"
runroot = "/run/kpicontrol-containers"
TEXT
}

engine() {
  case $ENGINE in
    docker) docker "$@" ;;
    podman) as_root env CONTAINERS_CONF="$CACHE/containers/containers.conf" CONTAINERS_STORAGE_CONF="$CACHE/containers/storage.conf" podman "$@" ;;
  esac
}

has_image() { engine image inspect "$1" >/dev/null 2>&1; }

# build_image FILE NAME: on the bases found. podman builds read this machine's NuGet packages and fetch only what it lacks,
# and trust whom this machine trusts: a company's proxy among them.
build_image() {
  local options=("${BUILD_OPTIONS[@]}" --network host --build-arg "SDK_IMAGE=$SDK_IMAGE" --build-arg "RUNTIME_IMAGE=$RUNTIME_IMAGE")
  local packages=${NUGET_PACKAGES:-$HOME/.nuget/packages}
  if [ "$ENGINE" = podman ]; then
    mkdir -p "$packages" "$CACHE/nuget"
    options+=(-v "$packages:/machine-packages:ro" -v "$CACHE/nuget:/nuget" --build-arg NUGET_FALLBACK_PACKAGES=/machine-packages
      -v /etc/ssl/certs:/etc/ssl/certs:ro)
  fi
  engine build "${options[@]}" -f "$1" -t "$2" .
}
