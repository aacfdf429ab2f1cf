#!/usr/bin/env bash
# usage: load-postgresql.sh LIBPQ_URL [DATA_DIRECTORY]: makes the GDP tables anew and loads the CSV files, in one transaction.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
url=${1:?usage: load-postgresql.sh LIBPQ_URL [DATA_DIRECTORY]}
data=${2:-$here/../data}
{
  cat "$here/postgresql.sql"
  while read -r table file; do
    echo "COPY $table FROM STDIN WITH (FORMAT csv, HEADER true);"
    cat "$data/$file"
    printf '%s\n' '\.'
  done <<'TABLES'
gdp_electricitygeneration iowa-electricity.csv
gdp_employment us-employment.csv
gdp_unemployment unemployment-across-industries.csv
gdp_flights flights-5k.csv
gdp_receivables receivables.csv
gdp_sales sales.csv
TABLES
  echo 'COMMIT;'
} | psql -X -q -v ON_ERROR_STOP=1 "$url"
