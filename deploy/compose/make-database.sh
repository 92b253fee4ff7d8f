#!/bin/sh
# Run once by PostgreSQL's image, when its volume is empty: a role that owns the provider's database, and
# may do nothing else.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$(cat "${PORTVAKT_PASSWORD_FILE:-/run/secrets/postgres.password}")" \
  --username=postgres --dbname=postgres --no-password << 'SQL'
CREATE ROLE portvakt LOGIN PASSWORD :'password';
CREATE DATABASE portvakt OWNER portvakt;
SQL
