"""Runs of reindexing, schedules, what changed in each run, and the answers whose quotes are gone."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("""
    create table runs (
        id bigint generated always as identity primary key,
        source_id integer not null references sources on delete cascade,
        cause text not null check (cause in ('terminal', 'watch', 'schedule', 'webhook', 'slack')),
        state text not null check (state in ('waiting', 'running', 'finished', 'failed', 'cancelled')),
        -- Every document is read, changed or not; `whole`: and a new generation is filled with them.
        full_read boolean not null default false,
        whole boolean not null default false,
        -- Somebody asked for it to end.
        stop boolean not null default false,
        -- When the oldest change that it is to bring in was noticed, where that is known.
        changed_at timestamptz,
        asked_at timestamptz not null default now(),
        started_at timestamptz,
        finished_at timestamptz,
        seen integer not null default 0,
        indexed integer not null default 0,
        unchanged integer not null default 0,
        failed integer not null default 0,
        removed integer not null default 0,
        -- Why the source could not be read, or the run did not come to its end.
        error text,
        check (state <> 'finished' or seen = indexed + unchanged + failed)
    );
    -- Whoever asks while a run waits is served by that one.
    create unique index runs_waiting on runs (source_id) where state = 'waiting';
    create index runs_source on runs (source_id, id);

    insert into runs (source_id, cause, state, asked_at, started_at, finished_at, seen, indexed, unchanged,
                      failed, removed, error)
    select id, 'terminal', case when error is null then 'finished' else 'failed' end, finished_at, started_at,
           finished_at, seen, indexed, unchanged, failed, removed, error
      from sources where finished_at is not null;

    alter table sources
        drop column started_at, drop column finished_at, drop column seen, drop column indexed,
        drop column unchanged, drop column failed, drop column removed, drop column error,
        -- Of its driver; a secret stands there as the name of the setting that holds it.
        add column options jsonb not null default '{}',
        -- An interval such as 15m, or a cron expression; null: only when it is asked for.
        add column schedule text,
        add column due_at timestamptz,
        -- What the last finished run saw, such as a git commit.
        add column revision text;
    update sources set schedule = '15m', due_at = now();

    alter table documents
        -- What its origin calls this state of it (an ETag, a git blob): the same version is the same content.
        add column version text,
        -- When its text last changed, and in which run it was last read anew.
        add column changed_at timestamptz not null default now(),
        add column run_id bigint;
    update documents set changed_at = indexed_at;
    -- A document that could be read before, and for now cannot, keeps its text beside the error.
    alter table documents
        drop constraint documents_check,
        add constraint documents_text_or_error check (content is not null or error is not null);

    create table changes (
        run_id bigint not null references runs on delete cascade,
        uri text not null,
        path text not null,
        change text not null check (change in ('added', 'changed', 'removed')),
        changed_at timestamptz not null default now(),
        primary key (run_id, uri)
    );

    -- Quotes in answers that their document no longer holds.
    create table stale_quotes (
        question_id bigint not null references questions on delete cascade,
        marker integer not null,
        uri text not null,
        quote text not null,
        change text not null check (change in ('changed', 'removed')),
        found_at timestamptz not null default now(),
        primary key (question_id, marker)
    );
    create index questions_citations on questions using gin ((answer->'citations') jsonb_path_ops);
    """)
