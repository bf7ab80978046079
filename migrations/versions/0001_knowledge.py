"""What the bot knows: sources, their documents, and the passages of each generation of the index."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
    create extension if not exists vector;

    create table sources (
        id integer generated always as identity primary key,
        name text not null unique,
        uri text not null unique,
        include text[] not null default '{}',
        exclude text[] not null default '{}',
        link_base text,
        -- Who may read what it holds; null is everyone.
        audience text[],
        created_at timestamptz not null default now(),
        started_at timestamptz,
        finished_at timestamptz,
        -- Of the last finished run: seen = indexed + unchanged + failed; removed stands beside.
        seen integer not null default 0,
        indexed integer not null default 0,
        unchanged integer not null default 0,
        failed integer not null default 0,
        removed integer not null default 0,
        error text
    );

    create table documents (
        id bigint generated always as identity primary key,
        source_id integer not null references sources on delete cascade,
        uri text not null,
        path text not null,
        title text not null default '',
        -- The parser's text, which offsets count in; null where the file could not be read: `error` says why.
        content text,
        error text,
        -- Of the file's bytes; size and mtime spare reading it at all.
        content_hash bytea,
        size bigint not null,
        mtime_ns bigint not null,
        indexed_at timestamptz not null default now(),
        unique (source_id, uri),
        check ((content is null) = (error is not null))
    );

    -- One embedder's index. A rebuild fills a new one beside the current one and switches in one transaction.
    create table generations (
        id integer generated always as identity primary key,
        embedder text not null,
        dimensions integer not null check (dimensions between 1 and 4000),
        is_current boolean not null default false,
        created_at timestamptz not null default now(),
        -- What BM25 needs to know of the whole; kept exact by the triggers below.
        passage_count bigint not null default 0,
        term_count bigint not null default 0
    );
    create unique index generations_current on generations (is_current) where is_current;

    create table passages (
        id bigint generated always as identity primary key,
        generation_id integer not null references generations on delete cascade,
        document_id bigint not null references documents on delete cascade,
        source_id integer not null,
        ordinal integer not null,
        -- Character offsets: text = content[start_char:end_char].
        start_char integer not null,
        end_char integer not null,
        heading text not null,
        text text not null,
        -- Of what was embedded (title, heading and text): equal text is embedded once.
        embedded_hash bytea not null,
        term_count integer not null,
        embedding halfvec not null,
        unique (generation_id, document_id, ordinal)
    );
    create index passages_document on passages (document_id);
    create index passages_embedded on passages (generation_id, embedded_hash);

    -- The lexical index. The key serves BM25 from the index alone; the second serves the cascade.
    create table postings (
        generation_id integer not null,
        term text not null,
        passage_id bigint not null references passages on delete cascade,
        source_id integer not null,
        frequency smallint not null,
        passage_terms integer not null,
        primary key (generation_id, term, passage_id) include (source_id, frequency, passage_terms)
    );
    create index postings_passage on postings (passage_id);

    create function count_passages() returns trigger language plpgsql as $$
    begin
        if tg_op = 'INSERT' then
            update generations g
               set passage_count = g.passage_count + c.passages, term_count = g.term_count + c.terms
              from (select generation_id, count(*) passages, sum(term_count) terms
                      from changed group by generation_id) c
             where g.id = c.generation_id;
        else
            update generations g
               set passage_count = g.passage_count - c.passages, term_count = g.term_count - c.terms
              from (select generation_id, count(*) passages, sum(term_count) terms
                      from changed group by generation_id) c
             where g.id = c.generation_id;
        end if;
        return null;
    end $$;
    create trigger passages_inserted after insert on passages
        referencing new table as changed for each statement execute function count_passages();
    create trigger passages_deleted after delete on passages
        referencing old table as changed for each statement execute function count_passages();
    """)
