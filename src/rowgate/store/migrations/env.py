"""Alembic's way in: it runs the revisions on the connection that `sql_store.migrate` hands over."""

from alembic import context

from rowgate.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
