"""SQLite's failures in words, each with the next step."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from peewee import PeeweeException

from llmstack.errors import StoreError

BUSY_TIMEOUT_S = 10.0

_FULL = "free some space there, or set LLMSTACK_STORE to a file on a disk with room"
_PLACE = "give this user write access there, or set LLMSTACK_STORE to another file"

_KINDS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("there is no room left for the store", _FULL),
    sqlite3.SQLITE_IOERR: ("the disk refuses to read or write the store", f"look at its health and {_FULL}"),
    sqlite3.SQLITE_READONLY: ("the store cannot be written", _PLACE),
    sqlite3.SQLITE_CANTOPEN: ("the store cannot be opened", _PLACE),
    sqlite3.SQLITE_PERM: ("the store cannot be opened", _PLACE),
    sqlite3.SQLITE_AUTH: ("the store cannot be opened", _PLACE),
}


def store_error(error: Exception, path: str) -> StoreError:
    """The StoreError that a failure of SQLite (or of Peewee around it) means for the store at `path`."""
    cause = _first(error)
    code = getattr(cause, "sqlite_errorcode", None)
    kind = (code or 0) & 0xFF  # the low byte is the class, the rest a detail
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(cause))
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"the store was held by another program for more than {BUSY_TIMEOUT_S:.0f} s: {path}",
            f"let the other program end, then try again; `fuser -v {path}` names it",
            path=path,
        )
    what, hint = _KINDS.get(kind, ("the store cannot be used", _PLACE))
    return StoreError(f"{what}: {path} ({cause})", hint, path=path)


def _first(error: BaseException) -> BaseException:
    """What SQLite raised, below Peewee's wrapping; and when SQLite has ended a transaction by itself (as on a full
    disk), what was wrong before Peewee failed to roll it back."""
    inner = getattr(error, "orig", None) or error.__context__
    return _first(inner) if isinstance(inner, PeeweeException | sqlite3.Error) else error


@contextmanager
def placed(path: str) -> Iterator[None]:
    """A folder or file that cannot be made in the block becomes a StoreError."""
    try:
        yield
    except OSError as error:
        what = error.strerror or str(error)
        raise StoreError(f"the store cannot be opened: {path} ({what})", _PLACE, path=path) from error


def no_copy(error: OSError, path: str) -> StoreError:
    """The StoreError for a copy that cannot be written there."""
    what = error.strerror or str(error)
    hint = "name a file that is not there yet, in a folder that this user may write to"
    return StoreError(f"the copy cannot be written: {path} ({what})", hint, path=path)


def no_file(path: str) -> StoreError:
    """The StoreError for a device, pipe, socket or dangling link in the store's place."""
    return StoreError(f"the store must be a file: {path}", "LLMSTACK_STORE=:memory: remembers nothing", path=path)


def full(path: str, free_bytes: int) -> StoreError:
    """The StoreError for a disk that will be full before a run is over."""
    return StoreError(f"there is no room left for the store: {path} ({free_bytes} bytes free)", _FULL, path=path)


def damaged(path: str, detail: str) -> StoreError:
    """The StoreError for a store of llmstack's that is whole no more."""
    return StoreError(
        f"the store is damaged: {path} ({detail})",
        "`invoke sync` sets it aside and fills a new one: what runs is the truth",
        path=path,
        damaged=True,
    )


def foreign(path: str) -> StoreError:
    """The StoreError for what cannot be shown to be a store of llmstack's, and so is nobody's to set aside."""
    name = shlex.quote(path)
    return StoreError(
        f"no store of llmstack's, so it was left as it is: {path}",
        "set LLMSTACK_STORE to another file; if it was the store and lost its beginning, "
        f"`mv {name} {shlex.quote(f'{path}.old')}`, and `invoke sync` fills a new one",
        path=path,
    )


def newer(path: str, version: int, known: int) -> StoreError:
    """The StoreError for a store of a later llmstack."""
    return StoreError(
        f"the store was written by a newer llmstack: {path} (schema {version}, this one knows {known})",
        "upgrade llmstack, or set LLMSTACK_STORE to another file; it was left as it is",
        path=path,
        schema=version,
    )
