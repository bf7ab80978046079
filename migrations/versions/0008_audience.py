"""Audiences: changes of membership, and the calls of administrators."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0006"


def upgrade() -> None:
    op.execute("""
    -- Counts the changes of a channel's or group's members, or of a person's standing: what a process
    -- remembers of them holds for one version.
    create table membership_changes (
        subject text primary key,
        version bigint not null
    );

    -- What was asked of the administration, by whom, and whether it was granted.
    create table admin_calls (
        id bigint generated always as identity primary key,
        called_at timestamptz not null default now(),
        team text not null,
        channel text,
        person text not null,
        call text not null,
        granted boolean not null
    );

    -- Who was to see the answer.
    alter table traces add column audience jsonb;

    -- A narrow audience is searched exactly, through its sources.
    create index passages_source on passages (generation_id, source_id);
    """)
