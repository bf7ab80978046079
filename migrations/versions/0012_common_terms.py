"""Terms that many passages hold: a search must know that without reading all of their postings."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("""
    alter table generations
        -- How many passages there were when the common terms were last counted.
        add column terms_counted_at bigint not null default 0;
    create table common_terms (
        generation_id integer not null references generations on delete cascade,
        term text not null,
        -- Passages that held it when it was counted.
        documents bigint not null,
        primary key (generation_id, term) include (documents)
    );
    """)
