#!/bin/sh
# Run once by PostgreSQL's image, when its volume is empty: a role that owns the provider's database, and
# may do nothing else.
set -eu
# By psql itself: what stands on its command line, everybody on the machine can read.
export PORTVAKT_PASSWORD_FILE="${PORTVAKT_PASSWORD_FILE:-/run/secrets/postgres.password}"
psql --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres --no-password << 'SQL'
\set password `cat "$PORTVAKT_PASSWORD_FILE"`
CREATE ROLE portvakt LOGIN PASSWORD :'password';
CREATE DATABASE portvakt OWNER portvakt;
SQL
