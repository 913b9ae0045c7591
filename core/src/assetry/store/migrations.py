"""The formats of the SQLite file, each as the SQL that makes it from the one before."""

#: What brings a file from each format to the next; the format of a file is its `user_version`.
MIGRATIONS = (
    """
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, started TEXT NOT NULL,
        finished TEXT, assets TEXT NOT NULL, options TEXT NOT NULL, process INTEGER NOT NULL, host TEXT NOT NULL,
        owner TEXT NOT NULL, seen TEXT NOT NULL);
    CREATE INDEX runs_running ON runs (number) WHERE state = 'running';
    CREATE TABLE events (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, at TEXT NOT NULL, invocation TEXT, body TEXT NOT NULL);
    CREATE INDEX events_run ON events (run, id);
    CREATE TABLE materializations (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, run TEXT NOT NULL,
        data_version TEXT NOT NULL, code_version TEXT, seconds REAL, trace TEXT);
    CREATE TABLE attempts (
        run TEXT NOT NULL, key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, outcome TEXT NOT NULL,
        message TEXT, because TEXT, PRIMARY KEY (run, key, partition)) WITHOUT ROWID;
    CREATE TABLE latest (
        key TEXT NOT NULL, partition TEXT NOT NULL, materialization INTEGER, attempt TEXT,
        PRIMARY KEY (key, partition)) WITHOUT ROWID;
    CREATE TABLE checks (
        key TEXT NOT NULL, name TEXT NOT NULL, run TEXT NOT NULL, at TEXT NOT NULL, invocation TEXT,
        body TEXT NOT NULL, PRIMARY KEY (key, name)) WITHOUT ROWID;
    CREATE TABLE handles (
        run TEXT NOT NULL, invocation TEXT NOT NULL, token TEXT NOT NULL,
        PRIMARY KEY (run, invocation)) WITHOUT ROWID;
    CREATE TABLE claims (key TEXT PRIMARY KEY, run TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX claims_run ON claims (run);
    """,
    # The verdict of a check belongs to the partition that it looked at; until then only its metadata said which.
    """
    CREATE TABLE verdicts (
        key TEXT NOT NULL, name TEXT NOT NULL, partition TEXT NOT NULL, run TEXT NOT NULL, at TEXT NOT NULL,
        invocation TEXT, body TEXT NOT NULL, PRIMARY KEY (key, name, partition)) WITHOUT ROWID;
    INSERT INTO verdicts SELECT key, name,
        CASE json_type(body, '$.metadata.partition') WHEN 'text'
        THEN json_extract(body, '$.metadata.partition') ELSE '' END, run, at, invocation, body FROM checks;
    DROP TABLE checks;
    ALTER TABLE verdicts RENAME TO checks;
    """,
    # Several runs may hold partitions of one asset; `parts` is NULL for all of it.
    """
    CREATE TABLE held (
        key TEXT NOT NULL, run TEXT NOT NULL, parts TEXT, PRIMARY KEY (key, run)) WITHOUT ROWID;
    INSERT INTO held SELECT key, run, NULL FROM claims;
    DROP TABLE claims;
    ALTER TABLE held RENAME TO claims;
    CREATE INDEX claims_run ON claims (run);
    """,
    # Of a thousand partitions nearly all came out well, and those that did not are asked for all the time.
    """
    CREATE INDEX attempts_unmade ON attempts (key) WHERE outcome <> 'materialized';
    """,
    # What was pruned of a run, and when; and keys that came into being without anything being made of them.
    """
    ALTER TABLE runs ADD COLUMN pruned TEXT;
    CREATE TABLE partition_keys (
        key TEXT NOT NULL, partition TEXT NOT NULL, number INTEGER NOT NULL, dropped INTEGER NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (key, partition)) WITHOUT ROWID;
    CREATE UNIQUE INDEX partition_numbers ON partition_keys (key, number);
    """,
    # With which definitions runs began: in each set only what changed since the one before, NULL for what is gone.
    """
    CREATE TABLE definition_sets (number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, at TEXT NOT NULL);
    CREATE TABLE definitions (
        key TEXT NOT NULL, number INTEGER NOT NULL, body TEXT, PRIMARY KEY (key, number)) WITHOUT ROWID;
    ALTER TABLE runs ADD COLUMN definitions TEXT;
    """,
    # Records that people let count as made from something else, as they were before and as they are since.
    """
    CREATE TABLE accepted (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, by TEXT NOT NULL,
        why TEXT NOT NULL, causes TEXT NOT NULL, undone INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);
    CREATE INDEX accepted_key ON accepted (key);
    """,
    # How far the data of each record reaches; what was seen of it since; and how long assets took, the last 64 of each.
    """
    ALTER TABLE materializations ADD COLUMN as_of TEXT;
    UPDATE accepted SET before = json_insert(before, '$[8]', NULL), after = json_insert(after, '$[8]', NULL);
    CREATE TABLE looks (
        key TEXT NOT NULL, partition TEXT NOT NULL, at TEXT NOT NULL, data_version TEXT NOT NULL, as_of TEXT NOT NULL,
        PRIMARY KEY (key, partition)) WITHOUT ROWID;
    CREATE TABLE durations (key TEXT PRIMARY KEY, seconds TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO durations SELECT key, group_concat(printf('%9.3f,', min(seconds, 99999.0)), '') FROM (
        SELECT key, seconds FROM (
            SELECT id, key, seconds, row_number() OVER (PARTITION BY key ORDER BY id DESC) AS place FROM (
                SELECT min(id) AS id, key, seconds FROM materializations
                WHERE seconds IS NOT NULL GROUP BY key, partition, run, at))
        WHERE place <= 64 ORDER BY key, id) GROUP BY key;
    """,
    # How often what was recorded was forgotten.
    """
    CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    """,
    # A run writes with the token of its lease, which is a revision of the store, and renews it before it expires. One
    # that waits for what others have leased is `queued`, and `wanted` is what it is to lease; of pools it takes slots.
    """
    INSERT INTO marks SELECT 'revision', coalesce(max(id), 0) FROM materializations;
    ALTER TABLE runs ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs RENAME COLUMN seen TO expires;
    UPDATE runs SET expires = strftime('%Y-%m-%dT%H:%M:%S+00:00', expires, '+10 minutes') WHERE state = 'running';
    ALTER TABLE runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN wanted TEXT;
    DROP INDEX runs_running;
    CREATE INDEX runs_living ON runs (number) WHERE state IN ('running', 'queued');
    ALTER TABLE claims RENAME TO leases;
    DROP INDEX claims_run;
    CREATE INDEX leases_run ON leases (run);
    CREATE TABLE slots (
        run TEXT NOT NULL, ticket TEXT NOT NULL, pool TEXT NOT NULL, weight INTEGER NOT NULL, most INTEGER NOT NULL,
        priority INTEGER NOT NULL, since TEXT NOT NULL, held INTEGER NOT NULL,
        PRIMARY KEY (run, ticket, pool)) WITHOUT ROWID;
    """,
    # Backfills: what is wanted of each, as JSON, and whether it still is.
    """
    CREATE TABLE backfills (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL);
    """,
    # Documents: what plugins keep, as JSON, each by its space and key, with the revision at which it was changed last.
    """
    CREATE TABLE documents (
        space TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (space, key)) WITHOUT ROWID;
    """,
    # The next step, as a tool has said it of what failed or is gone. A status tells of interrupted runs.
    """
    ALTER TABLE attempts ADD COLUMN hint TEXT;
    CREATE INDEX runs_interrupted ON runs (number) WHERE state = 'interrupted';
    """,
    # What was made of one asset, as people look back at it.
    """
    CREATE INDEX materializations_of ON materializations (key);
    """,
)
