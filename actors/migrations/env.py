"""What Alembic runs: `actors.migrate` hands over a connection that is inside a transaction."""

from alembic import context

from actors.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
