"""Alembic's entry: runs migrations on the connection, and in the transaction, of `evertune.ledger.migrate`."""

from __future__ import annotations

from alembic import context

from evertune.ledger.schema import metadata

if hasattr(context, "config"):  # not while somebody merely imports this file to look for doctests
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    context.run_migrations()
