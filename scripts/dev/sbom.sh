# shellcheck shell=bash
# What the shipped programs are made of: a CycloneDX document each in artifacts/sbom, and their packages with licences in docs/licences.md.

SBOM_OF=(KpiControl.Control:kpi-control KpiControl.Agent:kpi-agent KpiControl.Cli:kpictl)

sbom_version() { sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props; }

# write_sboms DIRECTORY
write_sboms() {
  local pair project name
  dotnet tool restore >&2
  for pair in "${SBOM_OF[@]}"; do
    project=${pair%%:*} name=${pair##*:}
    dotnet dotnet-CycloneDX "src/$project/$project.csproj" --exclude-dev --output "$1" --filename "$name.cdx.json" \
      --output-format Json --set-name "$name" --set-version "$(sbom_version)" >"$1/$name.log" || { cat "$1/$name.log" >&2; die "no SBOM of $name"; }
    rm "$1/$name.log"
  done
}

# licences_page DIRECTORY: the page, of the documents there.
licences_page() {
  cat <<'TEXT'
# Licences of what is shipped

Written by `./dev sbom` from the CycloneDX documents of the three programs (`artifacts/sbom/*.cdx.json`); a check of `./dev test` compares
this page with the packages in use and refuses a licence that is not in `scripts/checks/licences.sh`. The .NET runtime is under MIT.

| package | version | licence | in |
|---|---|---|---|
TEXT
  # Packages that carry their licence as a file, read by hand.
  jq -rn --argjson read '{"LibGit2Sharp": "MIT", "LibGit2Sharp.NativeBinaries": "GPL-2.0-only WITH GCC-exception-2.0"}' '[inputs | .metadata.component.name as $in | .components[] | .name as $name | {name, version, $in,
      licence: ([.licenses[]? | .expression // .license.id // .license.name // .license.url] | join(", ") | if . == "" then $read[$name] // "" else . end)}]
    | group_by([(.name | ascii_downcase), .version])[]
    | "| \(.[0].name) | \(.[0].version) | \(.[0].licence) | \(map(.in) | unique | join(", ")) |"' "$1"/*.cdx.json
}

dev_sbom() {
  install_missing
  mkdir -p artifacts/sbom
  write_sboms artifacts/sbom
  licences_page artifacts/sbom >docs/licences.md
  say "dev: $(ls artifacts/sbom/*.cdx.json | tr '\n' ' ')and docs/licences.md"
}
