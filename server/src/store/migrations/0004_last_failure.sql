-- When an endpoint failed last: two failures with weeks between them are not weeks of failing.
ALTER TABLE webhook_endpoints ADD COLUMN failed_at {INT};
