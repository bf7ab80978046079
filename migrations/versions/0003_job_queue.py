"""The job queue's own tables and functions, as the installed procrastinate ships them.

Procrastinate ships its later changes as migrations of its own; each of those becomes a migration here.
"""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Without parameters the driver sends the script as it is: neither `:` nor `%` means anything in it.
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(SchemaManager.get_schema())
