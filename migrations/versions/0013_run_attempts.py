"""How often a run was begun without getting further, and what a new index still lacks."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("""
    alter table runs
        -- How often it was begun since it last got further.
        add column attempts integer not null default 0,
        -- The most documents that were ever done of it: one that it begins anew does not count as further.
        add column furthest integer not null default 0,
        -- Documents that the new index lacks yet; null but for the last run of a whole rebuild.
        add column lacking integer;
    """)
