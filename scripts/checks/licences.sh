#!/usr/bin/env bash
# Every package that is shipped is in docs/licences.md with its licence, and each licence is one that the product may be shipped with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for part in scripts/dev/*.sh; do . "$part"; done
# The GPL only with the exception that lets a program link the library as it is, under any licence (libgit2).
ALLOWED='MIT|Apache-2\.0|BSD-[23]-Clause|PostgreSQL|GPL-2\.0-only WITH GCC-exception-2\.0'
out=$(mktemp -d); trap 'rm -rf "$out"' EXIT

write_sboms "$out"
licences_page "$out" >"$out/licences.md"
diff docs/licences.md "$out/licences.md" || die "docs/licences.md is not what is in use: ./dev sbom writes it"
refused=$(sed -n 's/^| //p' "$out/licences.md" | grep -v -e '^package ' -e '^---' | awk -F' \\| ' -v allowed="^($ALLOWED)$" '$3 !~ allowed')
[ -z "$refused" ] || die "not under a licence that the product may be shipped with: $refused"
[ "$(grep -c '^| [A-Za-z]' "$out/licences.md")" -gt 40 ] || die "the documents name next to no package"
