-- What a log is made of: the life cycle of a session, its timeline and its bill; accounts and
-- campaigns; webhooks in and out; exports; the servers that share the database. Only additions, so
-- that a server of the first version works on beside this one.
CREATE TABLE accounts (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name            TEXT NOT NULL,
    -- JSON; what the account's own keys may do.
    permissions     TEXT NOT NULL
){BY_KEY};

CREATE TABLE campaigns (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    account_id      TEXT REFERENCES accounts (id) ON DELETE SET NULL,
    name            TEXT NOT NULL
){BY_KEY};

-- The unguessable last part of the address that the provider's webhooks are sent to.
ALTER TABLE organizations ADD COLUMN webhook_path TEXT;
CREATE UNIQUE INDEX organizations_by_webhook_path ON organizations (webhook_path);
ALTER TABLE widgets ADD COLUMN webhook_path TEXT;
CREATE UNIQUE INDEX widgets_by_webhook_path ON widgets (webhook_path);
ALTER TABLE widgets ADD COLUMN campaign_id TEXT REFERENCES campaigns (id) ON DELETE SET NULL;
ALTER TABLE widgets ADD COLUMN chat_assistant_id TEXT REFERENCES assistants (id);

ALTER TABLE api_keys ADD COLUMN id TEXT;
ALTER TABLE api_keys ADD COLUMN account_id TEXT REFERENCES accounts (id) ON DELETE CASCADE;
ALTER TABLE api_keys ADD COLUMN name TEXT NOT NULL DEFAULT '';
-- A JSON list; a key from the first version may do everything.
ALTER TABLE api_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT '["*"]';
ALTER TABLE api_keys ADD COLUMN last_used_at {INT};
ALTER TABLE api_keys ADD COLUMN revoked_at {INT};
UPDATE api_keys SET id = 'key_' || substr(digest, 1, 16) WHERE id IS NULL;
CREATE UNIQUE INDEX api_keys_by_id ON api_keys (id);

ALTER TABLE sessions ADD COLUMN organization_id TEXT NOT NULL DEFAULT 'default';
ALTER TABLE sessions ADD COLUMN campaign_id TEXT;
ALTER TABLE sessions ADD COLUMN account_id TEXT;
ALTER TABLE sessions ADD COLUMN provider TEXT NOT NULL DEFAULT 'engine';
ALTER TABLE sessions ADD COLUMN provider_session TEXT;
ALTER TABLE sessions ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE sessions ADD COLUMN active_at {INT};
-- 3 minutes, the default of seed 000, for sessions from before there was a choice.
ALTER TABLE sessions ADD COLUMN inactive_after_ms {INT} NOT NULL DEFAULT 180000;
ALTER TABLE sessions ADD COLUMN leave_at {INT};
ALTER TABLE sessions ADD COLUMN leave_reason TEXT;
-- When the clock has to look at the session, at its deadline or before; NULL when it is over. What a
-- server of the first version begins is looked at at once.
ALTER TABLE sessions ADD COLUMN due_at {INT} DEFAULT 0;
ALTER TABLE sessions ADD COLUMN continues TEXT;
ALTER TABLE sessions ADD COLUMN page_origin TEXT;
ALTER TABLE sessions ADD COLUMN language TEXT;
ALTER TABLE sessions ADD COLUMN visitor_messages {INT} NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN assistant_messages {INT} NOT NULL DEFAULT 0;
-- US dollars, decimal as text, and who said so.
ALTER TABLE sessions ADD COLUMN cost TEXT;
ALTER TABLE sessions ADD COLUMN cost_source TEXT;
ALTER TABLE sessions ADD COLUMN finalized_at {INT};
ALTER TABLE sessions ADD COLUMN webhook_missing {INT} NOT NULL DEFAULT 0;
-- A worker that has something to do with the session (tell the provider, reconcile) holds it until then.
ALTER TABLE sessions ADD COLUMN attend_at {INT};
ALTER TABLE sessions ADD COLUMN attempts {INT} NOT NULL DEFAULT 0;
UPDATE sessions SET status = 'ended' WHERE ended_at IS NOT NULL;
UPDATE sessions SET due_at = CASE WHEN ended_at IS NULL THEN expires_at END;
CREATE INDEX sessions_due ON sessions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sessions_to_attend ON sessions (attend_at) WHERE attend_at IS NOT NULL;
CREATE UNIQUE INDEX sessions_by_provider ON sessions (provider, provider_session)
    WHERE provider_session IS NOT NULL;
CREATE INDEX sessions_listed ON sessions (organization_id, created_at, id);

-- Which server writes a streaming answer.
ALTER TABLE messages ADD COLUMN writer TEXT;

CREATE TABLE session_events (
    position   {SERIAL},
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    at         {INT} NOT NULL,
    kind       TEXT NOT NULL,
    detail     TEXT NOT NULL
){STRICT};
CREATE INDEX session_events_by_session ON session_events (session_id, position);

-- The ledger: append-only, outlives the session it bills.
CREATE TABLE usage_records (
    id              TEXT PRIMARY KEY,
    session_id      TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL,
    account_id      TEXT,
    channel         TEXT NOT NULL,
    units           TEXT NOT NULL,
    unit            TEXT NOT NULL,
    rate            TEXT NOT NULL,
    rounding        TEXT NOT NULL,
    minutes         TEXT NOT NULL,
    cost            TEXT,
    billed          {INT} NOT NULL,
    created_at      {INT} NOT NULL
){BY_KEY};

-- What providers told us, each content once; secrets are redacted before anything is stored.
CREATE TABLE provider_events (
    organization_id  TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    digest           TEXT NOT NULL,
    provider         TEXT NOT NULL,
    kind             TEXT NOT NULL,
    provider_session TEXT,
    received_at      {INT} NOT NULL,
    body             TEXT NOT NULL,
    outcome          TEXT NOT NULL,
    PRIMARY KEY (organization_id, digest)
){BY_KEY};
CREATE INDEX provider_events_by_session ON provider_events (provider, provider_session);

CREATE TABLE webhook_endpoints (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    url             TEXT NOT NULL,
    -- Encrypted; the previous one signs as well until its time is over.
    secret          {BYTES} NOT NULL,
    previous_secret {BYTES},
    previous_until  {INT},
    -- A JSON list of event names.
    events          TEXT NOT NULL,
    created_at      {INT} NOT NULL,
    disabled_at     {INT},
    disabled_reason TEXT,
    failing_since   {INT}
){BY_KEY};
CREATE INDEX webhook_endpoints_by_organization ON webhook_endpoints (organization_id);

CREATE TABLE outbox (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    endpoint_id     TEXT NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    -- What it tells of: a log that is deleted is not told of, and nothing of it is kept here.
    session_id      TEXT REFERENCES sessions (id) ON DELETE CASCADE,
    event           TEXT NOT NULL,
    payload         TEXT NOT NULL,
    created_at      {INT} NOT NULL,
    attempts        {INT} NOT NULL DEFAULT 0,
    -- When to try (again); NULL when it is delivered or given up.
    next_at         {INT},
    locked_until    {INT},
    delivered_at    {INT},
    failed_at       {INT},
    last_status     {INT},
    last_error      TEXT
){BY_KEY};
CREATE INDEX outbox_due ON outbox (endpoint_id, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_by_session ON outbox (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX outbox_over ON outbox (created_at) WHERE next_at IS NULL;
CREATE INDEX outbox_by_endpoint ON outbox (endpoint_id, created_at);

CREATE TABLE exports (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    account_id      TEXT,
    request         TEXT NOT NULL,
    state           TEXT NOT NULL,
    total           {INT} NOT NULL DEFAULT 0,
    done            {INT} NOT NULL DEFAULT 0,
    bytes           {INT} NOT NULL DEFAULT 0,
    file_name       TEXT NOT NULL,
    error           TEXT,
    created_at      {INT} NOT NULL,
    locked_by       TEXT,
    locked_until    {INT},
    finished_at     {INT}
){BY_KEY};
CREATE INDEX exports_by_organization ON exports (organization_id, created_at);

CREATE TABLE export_chunks (
    export_id TEXT NOT NULL REFERENCES exports (id) ON DELETE CASCADE,
    number    {INT} NOT NULL,
    bytes     {BYTES} NOT NULL,
    PRIMARY KEY (export_id, number)
){BY_KEY};

-- The servers that share the database, and when each last showed that it lives.
CREATE TABLE nodes (
    id         TEXT PRIMARY KEY,
    started_at {INT} NOT NULL,
    seen_at    {INT} NOT NULL
){BY_KEY};
