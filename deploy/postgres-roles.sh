#!/bin/sh
# The roles of the database: one owns the tables and migrates, one serves and only reads and writes rows. Neither is a superuser.
# The image of PostgreSQL runs it when it makes a database; on one that is there, an operator does (docs/operations.md). It may run again.
set -eu
export PGDATABASE="$POSTGRES_DB" PGUSER="$POSTGRES_USER"
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
    --set database="$POSTGRES_DB" --set owner="${KHOOSHEH_OWNER:-khoosheh_owner}" --set service="${KHOOSHEH_SERVICE:-khoosheh_service}" <<'SQL'
\getenv owner_password KHOOSHEH_OWNER_PASSWORD
\getenv service_password KHOOSHEH_SERVICE_PASSWORD
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY[:'owner', :'service']) name WHERE to_regrole(quote_ident(name)) IS NULL \gexec
ALTER ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE :"service" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'service_password';
ALTER DATABASE :"database" OWNER TO :"owner";
ALTER SCHEMA public OWNER TO :"owner";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"service";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"service";
-- Tables that are there belong to the owner from now on; their sequences go with them.
SELECT format('ALTER TABLE %I.%I OWNER TO %I', schemaname, tablename, :'owner') FROM pg_tables WHERE schemaname = 'public' \gexec
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"service";
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :"service";
SQL
