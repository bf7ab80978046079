"""Records on their way from a message through a person's hands to a channel."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("""
    create table drafts (
        id uuid primary key,
        created_at timestamptz not null default now(),
        team text not null,
        channel text not null,
        -- Of the thread that the record is posted to; null: the channel itself.
        thread_ts text,
        asker text not null,
        -- Null until a person chose one. What was read stays readable when the schema gets a new version.
        schema_name text,
        schema_version integer,
        -- The messages that are read: [{"ts", "start", "end", "link"}], offsets within `text`.
        messages jsonb not null default '[]',
        whole_thread boolean not null default false,
        -- Attachments still to be fetched: [{"name", "url"}].
        files jsonb not null default '[]',
        -- Nobody asked: the channel is set to have every message read.
        triage boolean not null default false,
        text text not null default '',
        state text not null default 'choosing'
            check (state in ('choosing', 'reading', 'ready', 'confirmed', 'posted', 'failed', 'dropped')),
        -- Counts the forms that were shown: what was typed into an older one is not taken for the newest's.
        revision integer not null default 1,
        extraction json,
        -- As the person has it now, without what is missing; once confirmed, the record itself.
        record json,
        error text,
        confirmed_by text,
        confirmed_at timestamptz,
        card_ts text,
        delivered_at timestamptz
    );
    create index drafts_created_at on drafts (created_at);
    create index drafts_channel on drafts (team, channel, created_at desc);

    -- What people corrected, where a setting turned that on: cases in the form of grammars/tuning/fields.py.
    create table corrections (
        draft_id uuid primary key references drafts on delete cascade,
        given_at timestamptz not null default now(),
        example json not null
    );

    -- Channels that an administrator set to post without asking, or to read every message.
    create table channel_modes (
        team text not null,
        channel text not null,
        automatic boolean not null default false,
        -- The schema by which every message is read; null: none.
        triage_schema text,
        -- What is done with it: a reply with the record, or an emoji by the first choice of the schema.
        triage_by text not null default 'emoji' check (triage_by in ('emoji', 'reply')),
        set_by text not null,
        set_at timestamptz not null default now(),
        primary key (team, channel)
    );

    -- Many messages read by one schema, a row each as soon as it is done.
    create table batches (
        id uuid primary key,
        asked_at timestamptz not null default now(),
        team text not null,
        channel text not null,
        thread_ts text,
        asker text not null,
        schema_name text not null,
        schema_version integer not null,
        wanted integer not null,
        -- The message that shows how far it is, and how many of the parts of its result stand under it.
        progress_ts text,
        parts integer not null default 0,
        listed boolean not null default false,
        finished_at timestamptz,
        error text
    );
    create table batch_rows (
        batch_id uuid not null references batches on delete cascade,
        number integer not null,
        ts text not null,
        text text not null,
        author text,
        result json,
        primary key (batch_id, number)
    );
    """)
