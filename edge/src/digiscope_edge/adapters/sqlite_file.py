"""The outbox's database file: its schema, and transactions that several processes may begin."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

from digiscope_shared.errors import SettingsError

SCHEMA_VERSION: Final = 1


class SqliteFile:
    """One connection for all threads, one transaction at a time.

    Raises:
        OSError, sqlite3.Error: the file can't be made or read.
        SettingsError: a newer agent wrote it.
    """

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        path.touch(mode=0o600)
        path.chmod(0o600)
        # SQLite gives its WAL the database's own mode.
        self._db = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        self._lock = threading.RLock()
        self._prepare()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Take the write lock at once: what is read inside can't change before it is written."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        version = self.rows("PRAGMA user_version")[0][0]
        if version > SCHEMA_VERSION:
            raise SettingsError(f"the outbox was written by a newer agent (schema {version}); update this one")
        if version < SCHEMA_VERSION:
            script = resources.files(__package__).joinpath("outbox_schema.sql").read_text(encoding="utf-8")
            self._db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT")
