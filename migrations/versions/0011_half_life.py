"""How fast a source's documents age: their score halves with each half-life."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("""
    alter table sources
        -- In days; null: age does not matter.
        add column half_life_days real check (half_life_days > 0);
    """)
