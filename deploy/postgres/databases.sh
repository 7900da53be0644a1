#!/usr/bin/env bash
# Makes the two databases, each with an owner of its own that can reach no other. The official image runs this once, when
# its volume is empty. SECRETS is where the passwords are, a file each.
set -euo pipefail

for name in connection inbox; do
    psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
        --set=name="$name" --set=password="$(cat "${SECRETS:-/run/secrets}/${name}_password")" << 'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
