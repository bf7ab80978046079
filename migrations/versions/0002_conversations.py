"""What the bot was asked, what it posted in return, and what people thought of it."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
    create table questions (
        id bigint generated always as identity primary key,
        -- The message that asked. A slash command has none: its trigger id stands in for the ts.
        team text not null,
        channel text not null,
        ts text not null,
        -- Where the answer goes; null for a slash command.
        thread_ts text,
        asker text not null,
        surface text not null check (surface in ('mention', 'direct', 'follow_up', 'command')),
        text text not null,
        -- 0 is the message as it was first sent; only a later edit than this one counts.
        edited_at numeric not null default 0,
        revision integer not null default 1,
        -- The revision that the thread shows; behind `revision` while there is work to do.
        settled_revision integer not null default 0,
        retracted boolean not null default false,
        -- Set before the first message goes out: an attempt that finds it set may find its own messages.
        posting boolean not null default false,
        answer jsonb,
        answer_revision integer,
        response_url text,
        shared_at timestamptz,
        asked_at timestamptz not null default now(),
        -- Redelivery, reconnect and restart meet this key.
        unique (team, channel, ts)
    );
    create index questions_thread on questions (team, channel, thread_ts);

    -- The messages of an answer: a long one continues in a second part.
    create table replies (
        question_id bigint not null references questions on delete cascade,
        part integer not null,
        ts text not null,
        primary key (question_id, part)
    );
    create index replies_ts on replies (ts);

    create table feedback (
        question_id bigint not null references questions on delete cascade,
        person text not null,
        helpful boolean not null,
        given_at timestamptz not null default now(),
        primary key (question_id, person)
    );
    """)
