-- What the device must not forget. Times are texts for people, but for accepted_at_s: the boot's monotonic clock.
CREATE TABLE IF NOT EXISTS captures (
  capture_id    TEXT PRIMARY KEY,
  sequence      INTEGER NOT NULL UNIQUE,
  attributes    TEXT NOT NULL,              -- CaptureAttributes as JSON; part and parts are filled in when sent
  image_sha256  TEXT NOT NULL,
  image_bytes   INTEGER NOT NULL,
  state         TEXT NOT NULL,              -- lifecycle.CaptureState
  image         TEXT NOT NULL,              -- captures.ImageState
  accepted_at_s REAL NOT NULL,
  part_bytes    INTEGER NOT NULL DEFAULT 0,
  reason        TEXT NOT NULL DEFAULT '',
  detail        TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS captures_state ON captures (state, sequence);
CREATE INDEX IF NOT EXISTS captures_sha256 ON captures (image_sha256);

CREATE TABLE IF NOT EXISTS results (
  capture_id   TEXT NOT NULL REFERENCES captures ON DELETE CASCADE,
  model_digest TEXT NOT NULL,
  body         TEXT NOT NULL,
  PRIMARY KEY (capture_id, model_digest)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS readings (
  sequence INTEGER PRIMARY KEY,
  body     TEXT NOT NULL
);

-- Numbers that must never come twice, even when the rows that carried them are gone.
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO counters VALUES ('capture', 0), ('reading', 0);

CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
