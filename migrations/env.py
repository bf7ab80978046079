"""Alembic's entry: runs the migrations over the connection that `knowledge.database.migrate` hands in."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
