"""A search in a PostgreSQL database, which processes on several machines share.

What files beside an SQLite database do on one machine, the server's advisory locks do here: a session holds them, and
the server frees them when the session's process or machine dies (PostgreSQL manual, 13.3.5 Advisory Locks).
"""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import optuna
import sqlalchemy
from sqlalchemy import func, select

from utils.errors import ConfigError


class Server:
    """The database at an address; printed without its password."""

    def __init__(self, address: str):
        """Connect to ``address``, e.g. postgresql://anna@db.example.org/tuning; a password may stand in ~/.pgpass.

        Raises:
            ConfigError: not an address, the driver is not installed, or nobody answers.
        """
        if find_spec("psycopg") is None:
            raise ConfigError("--storage postgresql://... needs a driver. Run: pip install 'psycopg[binary]'")
        try:
            self._url = sqlalchemy.make_url(address).set(drivername="postgresql+psycopg")
            # a lock is its session's: none is kept for others, and no transaction stays open behind one
            self._engine = sqlalchemy.create_engine(
                self._url, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT"
            )
            self._engine.connect().close()
        except (sqlalchemy.exc.SQLAlchemyError, ValueError) as error:
            raise ConfigError(f"--storage: no database to be had there ({str(error).splitlines()[0]}).") from error

    def __str__(self) -> str:
        return self._url.set(drivername="postgresql").render_as_string(hide_password=True)

    def storage(self) -> optuna.storages.RDBStorage:
        """Return it as Optuna keeps trials in it; the tables are made if they are not there."""
        return optuna.storages.RDBStorage(self._url.render_as_string(hide_password=False))

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Let one process at a time pass."""
        with self._held("gate"):
            yield

    @contextmanager
    def worker(self) -> Iterator[str]:
        """Yield a name that others see alive until this process or its machine ends."""
        name = uuid.uuid4().hex
        with self._held(name):
            yield name

    def alive(self, worker: str) -> bool:
        """Return whether the process of that name is still there."""
        with self._engine.connect() as session:
            free = session.scalar(select(func.pg_try_advisory_lock(_key(worker))))
            return not free  # what was taken to see goes with the session

    @contextmanager
    def _held(self, name: str) -> Iterator[None]:
        with self._engine.connect() as session:
            session.execute(select(func.pg_advisory_lock(_key(name))))
            yield


def _key(name: str) -> int:
    """Return the 64 bits by which PostgreSQL knows a lock."""
    digest = hashlib.blake2b(f"ser-zoo tune {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
