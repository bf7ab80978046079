"""What happened for each answer: what was asked, searched, retrieved and written, and how long it took."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
    create table traces (
        id uuid primary key,
        created_at timestamptz not null default now(),
        question text not null,
        history jsonb not null default '[]',
        -- What was searched for: the question, with what it refers to.
        query text not null,
        -- The whole answer, passages and scores included; null where there was an error.
        answer jsonb,
        -- What the model wrote, before it was checked.
        output text,
        error text,
        check ((answer is null) = (error is not null))
    );
    create index traces_created_at on traces (created_at);
    """)
