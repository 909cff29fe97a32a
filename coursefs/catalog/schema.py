"""The SQLite schema of the catalogue, as a list of migrations.

`MIGRATIONS[n]` brings a database of version n to version n + 1; a new database goes through all of them. A migration
that was released is never edited: a change is a new one.
"""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE course (
        account TEXT NOT NULL,
        key TEXT NOT NULL,
        slug TEXT NOT NULL,
        title TEXT NOT NULL,
        url TEXT,
        enrolled_ns INTEGER,
        hidden INTEGER NOT NULL,
        rank INTEGER NOT NULL,              -- the platform's order
        PRIMARY KEY (account, key)
    ) WITHOUT ROWID;

    -- name IS NULL: gone from the platform; the row stays so that it comes back as what it was
    CREATE TABLE node (
        inode INTEGER NOT NULL UNIQUE,      -- not the row id: what is listed together is to lie together
        parent INTEGER NOT NULL,
        name TEXT,
        wanted TEXT NOT NULL,
        account TEXT NOT NULL,
        course TEXT NOT NULL,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        mtime_ns INTEGER NOT NULL,
        item TEXT NOT NULL,
        url TEXT,
        mime_type TEXT,
        size INTEGER,
        etag TEXT,
        modified_ns INTEGER,
        identity TEXT,
        locator TEXT,                       -- JSON
        page BLOB,
        UNIQUE (account, course, key),
        UNIQUE (parent, name)
    );

    CREATE TABLE step (
        account TEXT NOT NULL,
        course TEXT NOT NULL,
        key TEXT NOT NULL,
        directory INTEGER NOT NULL,
        stem TEXT NOT NULL,                 -- what the names of its files begin with
        wanted TEXT NOT NULL,
        title TEXT NOT NULL,
        slug TEXT NOT NULL,
        position INTEGER,
        type_name TEXT NOT NULL,
        url TEXT,
        locked TEXT,
        details TEXT NOT NULL,              -- JSON
        fetched_ns INTEGER,
        error TEXT,
        PRIMARY KEY (account, course, key)
    ) WITHOUT ROWID;
    CREATE INDEX step_directory ON step (directory);

    -- when something that lists many was last asked for; course = '': the courses of the account
    CREATE TABLE fetched (
        account TEXT NOT NULL,
        course TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        PRIMARY KEY (account, course)
    ) WITHOUT ROWID;
    """,
    """
    -- what the platform calls this state of a listing (an ETag), to be asked only for another one
    ALTER TABLE fetched ADD COLUMN tag TEXT;

    -- the name of what is gone, which it gets again when it comes back
    ALTER TABLE node ADD COLUMN was TEXT;

    -- when somebody last looked into a course
    CREATE TABLE used (
        account TEXT NOT NULL,
        course TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        PRIMARY KEY (account, course)
    ) WITHOUT ROWID;

    -- what of the settings the tree was made with
    CREATE TABLE made_with (
        account TEXT PRIMARY KEY,
        shape TEXT NOT NULL,
        user TEXT                           -- whose account it is, as far as the sign-in says
    ) WITHOUT ROWID;
    """,
    """
    -- what tells a course apart from one of the same title
    ALTER TABLE course ADD COLUMN mark TEXT;

    -- whether a course is shown; course = '': those that were never named.  No row: it is
    CREATE TABLE choice (
        account TEXT NOT NULL,
        course TEXT NOT NULL,
        shown INTEGER NOT NULL,
        PRIMARY KEY (account, course)
    ) WITHOUT ROWID;

    -- courses that were added by hand and are not among the enrolments
    CREATE TABLE added (
        account TEXT NOT NULL,
        key TEXT NOT NULL,
        slug TEXT NOT NULL,
        title TEXT NOT NULL,
        url TEXT,
        PRIMARY KEY (account, key)
    ) WITHOUT ROWID;
    """,
    """
    -- whether the size is what a listing says, and no server has said it yet
    ALTER TABLE node ADD COLUMN is_hint INTEGER NOT NULL DEFAULT 0;
    """,
    """
    -- whether the platform no longer has it; the row stays so that its files have their old names when it comes back
    ALTER TABLE step ADD COLUMN is_gone INTEGER NOT NULL DEFAULT 0;
    """,
    """
    -- when an answer for this was doubted first, since the last one that was believed (ns since 1970)
    ALTER TABLE fetched ADD COLUMN doubted_ns INTEGER;
    """,
    """
    -- CRC-32 of identity and locator; NULL where they were written before there was one
    ALTER TABLE node ADD COLUMN sum INTEGER;
    """,
    """
    -- names no longer begin with a dash or hold invisible characters: courses that have such are asked for again, and
    -- what is renamed keeps its inode
    CREATE TEMP TABLE unlawful AS
        SELECT DISTINCT account, course FROM node WHERE name IS NOT NULL AND course <> '' AND (
            name GLOB '-*' OR name GLOB '*['
            || '\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2028-\u202e\u2060-\u206f\u2800\u3164'
            || '\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0e\ufeff\uffa0\U000e0000-\U000e0fff\U000f0000-\U0010ffff]*'
        );
    UPDATE fetched SET at_ns = 0, tag = NULL WHERE (account, course) IN (SELECT account, course FROM unlawful);
    UPDATE step SET fetched_ns = 0 WHERE fetched_ns IS NOT NULL
        AND (account, course) IN (SELECT account, course FROM unlawful);
    DROP TABLE unlawful;
    """,
    """
    -- a key says whose it is: the files of a platform may have the keys of its sections
    UPDATE node SET key = key || char(31) || CASE
        WHEN kind = 'folder' AND key = item || '/files' THEN 'files'
        WHEN kind = 'link' AND key = item || '/unavailable' THEN 'notice'
        ELSE 'file'
    END WHERE item <> '' AND instr(key, char(31)) = 0;
    """,
    """
    -- what is due, as the platform last said it
    CREATE TABLE deadline (
        account TEXT NOT NULL,
        course TEXT NOT NULL,
        rank INTEGER NOT NULL,              -- by time
        title TEXT NOT NULL,
        due_ns INTEGER NOT NULL,
        key TEXT,                           -- of the section or item that is due
        url TEXT,
        PRIMARY KEY (account, course, rank)
    ) WITHOUT ROWID;

    -- when the deadlines of a course were last asked for
    CREATE TABLE deadlines_asked (
        account TEXT NOT NULL,
        course TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        PRIMARY KEY (account, course)
    ) WITHOUT ROWID;
    """,
    """
    -- how long an item takes, in seconds; the next refresh asks for the whole outline, to learn it
    ALTER TABLE step ADD COLUMN duration REAL;
    UPDATE fetched SET tag = NULL WHERE course <> '';
    """,
    """
    -- when a deadline became what it is: new, moved or renamed (ns since 1970)
    ALTER TABLE deadline ADD COLUMN changed_ns INTEGER NOT NULL DEFAULT 0;
    UPDATE deadline SET changed_ns = coalesce(
        (SELECT at_ns FROM deadlines_asked AS asked
         WHERE asked.account = deadline.account AND asked.course = deadline.course), 0);
    """,
    """
    -- what the learner has done, as the platform last said it
    CREATE TABLE finished (
        account TEXT NOT NULL,
        course TEXT NOT NULL,
        key TEXT NOT NULL,                  -- of a section or item
        PRIMARY KEY (account, course, key)
    ) WITHOUT ROWID;

    -- when it was last asked
    CREATE TABLE finished_asked (
        account TEXT NOT NULL,
        course TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        PRIMARY KEY (account, course)
    ) WITHOUT ROWID;
    """,
    """
    -- the URL of the picture of a course
    ALTER TABLE course ADD COLUMN image TEXT;
    """,
)

VERSION = len(MIGRATIONS)


def version_of(database: sqlite3.Connection) -> int:
    """The schema version of a database; 0 for an empty one."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def migrate(database: sqlite3.Connection, to: int = VERSION) -> None:
    """Bring a database from its version to version `to`, each migration in a transaction of its own."""
    for number in range(version_of(database), to):
        database.executescript(f"BEGIN; {MIGRATIONS[number]}; PRAGMA user_version = {number + 1}; COMMIT;")
