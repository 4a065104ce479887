"""A search in a PostgreSQL database, which processes on several machines share.

An advisory lock of the server says that a worker is alive: a session holds it, and the server releases it when the
session's process or machine dies (PostgreSQL manual, 13.3.5 Advisory Locks).
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import optuna
import sqlalchemy
from sqlalchemy import func, select

from utils.errors import ConfigError


class PostgresServer:
    """The database on a server; printed without its password."""

    def __init__(self, address: str):
        """Connect to ``address``, e.g. postgresql://anna@db.example.org/tuning; the password can be in ~/.pgpass.

        Raises:
            ConfigError: not an address, the driver is not installed, or the server does not answer.
        """
        if find_spec("psycopg") is None:
            raise ConfigError("--storage postgresql://... needs a driver. Run: pip install 'psycopg[binary]'")
        try:
            self._url = sqlalchemy.make_url(address).set(drivername="postgresql+psycopg")
            # a lock belongs to its session: sessions are not pooled, and no transaction stays open behind a lock
            self._engine = sqlalchemy.create_engine(
                self._url, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT"
            )
            self._engine.connect().close()
        except (sqlalchemy.exc.SQLAlchemyError, ValueError) as error:
            raise ConfigError(f"--storage: the database cannot be reached ({str(error).splitlines()[0]}).") from error

    def __str__(self) -> str:
        return self._url.set(drivername="postgresql").render_as_string(hide_password=True)

    def results_folder(self, default: Path) -> Path:
        """Return where results go: the default, since a server has no folder."""
        return default

    def storage(self) -> optuna.storages.RDBStorage:
        """Return it as Optuna's storage; the tables are made if they are not there."""
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

    def alive(self, workers: Iterable[str]) -> set[str]:
        """Return which of the workers are alive."""
        return {worker for worker in workers if self._is_alive(worker)}

    def _is_alive(self, worker: str) -> bool:
        with self._engine.connect() as session:
            free = session.scalar(select(func.pg_try_advisory_lock(_key(worker))))
            return not free  # a lock that was free and is now taken is released with this session

    @contextmanager
    def _held(self, name: str) -> Iterator[None]:
        with self._engine.connect() as session:
            session.execute(select(func.pg_advisory_lock(_key(name))))
            yield


def _key(name: str) -> int:
    """Return the 64-bit number of a lock."""
    digest = hashlib.blake2b(f"ser-zoo tune {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
