-- What providers told us and no log took note of, by its age: found without reading all other events.
CREATE INDEX provider_events_unclaimed ON provider_events (received_at)
    WHERE outcome IN ('waiting', 'ignored');
