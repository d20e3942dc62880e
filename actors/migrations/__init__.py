"""Alembic migrations: expand first, contract in a later release."""
