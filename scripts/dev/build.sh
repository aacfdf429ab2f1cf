# shellcheck shell=bash
dev_build() {
  install_missing
  say "dev: building"
  # A finding of the compiler is worth seeing, the thirty lines around it are not.
  dotnet build KpiControl.sln -v q --nologo -clp:ErrorsOnly >&2 || die "the build failed"
}

dev_images() {
  exec bash scripts/images.sh "$@"
}

dev_bench() {
  [ -d bench/KpiControl.Bench ] || die "there are no benchmarks yet"
  install_missing
  dotnet build bench/KpiControl.Bench -c Release -v q --nologo -clp:ErrorsOnly >&2 || die "the build failed"
  exec dotnet run --project bench/KpiControl.Bench -c Release --no-build -- "${@:-lease}"
}
