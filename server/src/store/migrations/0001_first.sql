-- The first schema. Instants are Unix milliseconds; documents are JSON. Never changed once released:
-- what comes later is a migration of its own. The words in braces differ between the databases, see
-- `migrations.rs`.
CREATE TABLE organizations (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at {INT} NOT NULL
){BY_KEY};

CREATE TABLE api_keys (
    digest          TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    created_at      {INT} NOT NULL
){BY_KEY};

CREATE TABLE assistants (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    definition      TEXT NOT NULL
){BY_KEY};

CREATE TABLE widgets (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    assistant_id    TEXT NOT NULL REFERENCES assistants (id),
    settings        TEXT NOT NULL
){BY_KEY};

CREATE TABLE sessions (
    id               TEXT PRIMARY KEY,
    widget_id        TEXT NOT NULL REFERENCES widgets (id) ON DELETE CASCADE,
    channel          TEXT NOT NULL,
    created_at       {INT} NOT NULL,
    last_activity_at {INT} NOT NULL,
    expires_at       {INT} NOT NULL,
    ended_at         {INT},
    end_reason       TEXT
){BY_KEY};

-- `position` orders a conversation whatever the clock did in between.
CREATE TABLE messages (
    position   {SERIAL},
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    role       TEXT NOT NULL,
    text       TEXT NOT NULL,
    status     TEXT NOT NULL,
    attempt    {INT} NOT NULL,
    created_at {INT} NOT NULL,
    sources    TEXT NOT NULL,
    error      TEXT
){STRICT};

CREATE UNIQUE INDEX messages_by_session ON messages (session_id, id);
-- After a crash: the few answers that nobody writes any more, found without reading all others.
CREATE INDEX messages_unfinished ON messages (status) WHERE status = 'streaming';
