"""Which adapter answers: one choice a row, so that the one before can be returned to."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("""
    create table adapter_choices (
        id bigint generated always as identity primary key,
        -- The model that it is an adapter of.
        model text not null,
        -- Null: the model as it is.
        adapter text,
        chosen_at timestamptz not null default now(),
        rolled_back_at timestamptz
    );
    create index adapter_choices_model on adapter_choices (model, id desc) where rolled_back_at is null;
    """)
