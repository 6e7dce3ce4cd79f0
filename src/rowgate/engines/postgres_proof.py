"""Proves that an account cannot write, or says what lets it.

1. The account's attributes: a superuser may do all, others may make roles or databases.
2. The roles it has that write by themselves.
3. Its privileges: on the database, on schemas, on tables and their columns, on sequences.
4. A try, in a transaction that may write and is rolled back.
5. Another try, as statements are run here.

What functions do that were made to write on their owner's behalf (SECURITY DEFINER) is not looked at: only what the
account was granted by name is called, and every session is read-only.
"""

from rowgate.engines.postgres_session import Session, ask
from rowgate.rows.errors import NotReadOnly

_ATTRIBUTES = """
SELECT quote_ident(rolname), rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user
"""
_MEMBERSHIP = """
SELECT rolname FROM pg_roles
WHERE rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program')
  AND pg_has_role(oid, 'MEMBER') LIMIT 1
"""
_OTHERS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
_RELATIONS = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
_TABLES = "c.relkind IN ('r', 'p', 'v', 'm', 'f')"
_NAME = "CAST(CAST(c.oid AS regclass) AS text)"
# what the account may do, what takes it away, and where that is so; each is asked of all relations at once
_PRIVILEGES = (
    (
        "'CREATE in the database'",
        "'REVOKE CREATE ON DATABASE ' || quote_ident(current_database())",
        "WHERE has_database_privilege(current_database(), 'CREATE')",
    ),
    (
        "'CREATE in the schema ' || quote_ident(n.nspname)",
        "'REVOKE CREATE ON SCHEMA ' || quote_ident(n.nspname)",
        f"FROM pg_namespace n WHERE {_OTHERS} AND has_schema_privilege(n.oid, 'CREATE')",
    ),
    (
        f"'ownership of ' || {_NAME}",
        f"'ALTER TABLE ' || {_NAME} || ' OWNER TO another_role'",
        f"{_RELATIONS} WHERE {_OTHERS} AND (c.relkind = 'S' OR {_TABLES}) AND pg_has_role(c.relowner, 'MEMBER')",
    ),
    (
        f"p || ' on ' || {_NAME}",
        f"'REVOKE ' || p || ' ON ' || {_NAME}",
        (
            f"{_RELATIONS} CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p "
            f"WHERE {_OTHERS} AND {_TABLES} AND has_table_privilege(c.oid, p)"
        ),
    ),
    (
        f"p || ' on columns of ' || {_NAME}",
        f"'REVOKE ' || p || ' (column) ON ' || {_NAME}",
        (
            f"{_RELATIONS} CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE']) p "
            f"WHERE {_OTHERS} AND {_TABLES} AND has_any_column_privilege(c.oid, p)"
        ),
    ),
    (
        f"p || ' on the sequence ' || {_NAME}",
        f"'REVOKE ' || p || ' ON SEQUENCE ' || {_NAME}",
        (
            f"{_RELATIONS} CROSS JOIN unnest(ARRAY['USAGE', 'UPDATE']) p "
            f"WHERE {_OTHERS} AND c.relkind = 'S' AND has_sequence_privilege(c.oid, p)"
        ),
    ),
)
_TRIES = (  # the second as statements are run here
    "BEGIN READ WRITE; CREATE TABLE {}.rowgate_proof (a int)",
    "BEGIN; CREATE TEMPORARY TABLE rowgate_proof (a int)",
)
# not allowed, read-only or a standby, no such schema
_REFUSALS = frozenset({"42501", "25006", "3F000"})
_OF_A_STANDBY = frozenset({"0A000"})  # which knows no transaction that may write
_HOW = "make a role that may only read: docs/how-to/serve-postgresql.md"


def prove_read_only(session: Session) -> None:
    """Look at what the account may do, then try to write.

    Raises:
        NotReadOnly: It may write; the text names what to take away.
        EngineUnavailable: The database cannot be asked.
    """
    [(account, is_super, makes_databases, makes_roles)] = ask(session, _ATTRIBUTES)
    if is_super:
        raise NotReadOnly(f"the account {account} is a superuser; {_HOW}")
    for is_set, attribute in ((makes_databases, "CREATEDB"), (makes_roles, "CREATEROLE")):
        if is_set:
            raise _refuse(account, attribute, f"ALTER ROLE {account} NO{attribute}")
    for (role,) in ask(session, _MEMBERSHIP):
        raise _refuse(account, f"what the role {role} may", f"REVOKE {role} FROM {account}")
    for privilege, remedy, where in _PRIVILEGES:
        for found, undo in ask(session, f"SELECT {privilege}, {remedy} {where} LIMIT 1"):
            to = f" FROM {account}, PUBLIC" if undo.startswith("REVOKE") else ""
            raise _refuse(account, found, f"{undo}{to}")
    [(schema,)] = ask(session, "SELECT quote_ident(coalesce(current_schema(), 'public'))")
    [(is_standby,)] = ask(session, "SELECT pg_is_in_recovery()")
    refusals = _REFUSALS | _OF_A_STANDBY if is_standby else _REFUSALS
    for attempt in _TRIES:
        code = session.attempt(attempt.format(schema))
        if code not in refusals:
            raise NotReadOnly(f"the account {account} could write ({code or 'done'}); {_HOW}")


def _refuse(account: str, privilege: str, remedy: str) -> NotReadOnly:
    return NotReadOnly(f"the account {account} has {privilege}: {remedy}; or {_HOW}")
