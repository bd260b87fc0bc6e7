-- Every session that a provider opened for one of ours: one as a rule, more where it lost one. Each has to
-- be closed over there, and each costs money. `sessions.provider_session` is the last one of them, as it
-- was before, for servers that do not know this table. What they wrote is not copied here, because that
-- would hold up every chat: a session of theirs is taken over when something happens to it.
CREATE TABLE provider_sessions (
    provider     TEXT NOT NULL,
    -- What the provider calls it.
    id           TEXT NOT NULL,
    session_id   TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- When we heard of it.
    opened_at    {INT} NOT NULL,
    -- 'open', 'closed', or 'untold' when nobody tries any more to close it.
    state        TEXT NOT NULL DEFAULT 'open',
    -- When it was completed, as its own webhook says; of several that differ one decides. How many messages
    -- came with that one and which event it is (`provider_events`) say whether the next decides over it.
    completed_at {INT},
    messages     {INT} NOT NULL DEFAULT 0,
    digest       TEXT NOT NULL DEFAULT '',
    -- US dollars, decimal as text, and who said so; part of the sum in `sessions`.
    cost         TEXT,
    cost_source  TEXT,
    -- Whether nobody has to be asked any more what it cost.
    settled      {INT} NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, id)
){BY_KEY};
CREATE INDEX provider_sessions_by_session ON provider_sessions (session_id);
