"""Schemas that records are made by, in versions, and the records made by them."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
    create table schemas (
        id bigint generated always as identity primary key,
        name text not null,
        version integer not null,
        title text not null,
        description text not null,
        -- As text: jsonb would reorder the properties, whose order people and models read.
        definition json not null,
        -- What the check on arrival found: {"enforced", "validated"}.
        report jsonb not null,
        created_at timestamptz not null default now(),
        -- A retired schema is no longer offered; its records keep it.
        retired_at timestamptz,
        unique (name, version)
    );

    create table records (
        id uuid primary key,
        created_at timestamptz not null default now(),
        -- Null where the schema was given along with the text.
        schema_id bigint references schemas,
        -- Of the text that was read; the text itself stays where it is.
        text_hash bytea not null,
        model text not null,
        record json,
        evidence jsonb not null default '{}',
        missing jsonb not null default '[]',
        timings_ms jsonb not null default '{}',
        error text,
        check ((record is null) = (error is not null))
    );
    create index records_schema_id on records (schema_id, created_at);
    create index records_created_at on records (created_at);
    """)
