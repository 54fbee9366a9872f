"""Where the store lies, and what can be told of that place before SQLite touches it."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from llmstack.store import faults

APPLICATION_ID = 0x6C6C6D73
"""Marks the file as ours ("llms"), so that somebody else's database is never migrated or deleted."""

MEMORY = ":memory:"
MIN_FREE_BYTES = 1024 * 1024
"""Room that a run needs for what it notes, with a good margin."""

_NETWORK = {"9p", "afs", "ceph", "cifs", "gfs2", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs", "virtiofs"}


def store_path(path: str | None, environ: Mapping[str, str]) -> str:
    """`path`, else `LLMSTACK_STORE`, else the user's data folder; absolute, or `:memory:`."""
    chosen = path or environ.get("LLMSTACK_STORE")
    if chosen == MEMORY:
        return MEMORY
    if not chosen:
        from platformdirs import user_data_path

        return str(user_data_path("llmstack") / "store.db")
    return str(Path(chosen).expanduser().absolute())


def files_of(path: str) -> tuple[Path, ...]:
    """The store and what SQLite and migrations put beside it, as far as it is there and a store of llmstack's."""
    try:
        with Path(path).open("rb") as file:
            header = file.read(100)
    except OSError:
        return ()
    if not is_ours(header):
        return ()
    beside = (Path(f"{path}{end}") for end in ("-wal", "-shm", "-journal"))
    name = glob.escape(Path(path).name)
    copies = (copy for end in ("schema", "corrupt-") for copy in Path(path).parent.glob(f"{name}.{end}*"))
    return (Path(path), *filter(Path.exists, beside), *sorted(copies))


def is_ours(header: bytes) -> bool:
    """Whether a file that begins so is a store of llmstack's, be it whole or damaged."""
    return header.startswith(b"SQLite format 3\0") and int.from_bytes(header[68:72], "big") == APPLICATION_ID


def header_of(path: str) -> bytes:
    """The file's first 100 bytes, by which SQLite knows its own. Makes the file (0600) and its folders (0700) where
    they are missing, and closes a store to others where it is open to them; what is no file (a device, a pipe)
    or holds something else is not touched. Raises StoreError."""
    with faults.placed(path):
        if os.path.lexists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
            raise faults.no_file(path)
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            header = os.read(descriptor, 100)
            if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077 and (not header or is_ours(header)):
                os.fchmod(descriptor, 0o600)
            return header
        finally:
            os.close(descriptor)


def check_room(path: str) -> None:
    """Raises StoreError when the disk will be full before a run is over."""
    if path == MEMORY:
        return
    with faults.placed(path):
        disk = os.statvfs(Path(path).parent)
    free_bytes = disk.f_bavail * disk.f_frsize
    if free_bytes < MIN_FREE_BYTES:
        raise faults.full(path, free_bytes)


def network_kind(path: str, mounts: str) -> str | None:
    """The type of the network file system that `path` lies on, None for a local one. `mounts` is the text of
    `/proc/mounts`; its innermost mount point counts."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) > 2 and len(words[1]) >= best and _below(path, _unescape(words[1])):
            best, kind = len(words[1]), words[2]
    return kind if kind in _NETWORK or kind.startswith("fuse.") else None


def read_mounts() -> str:
    """The kernel's mount table; empty where there is none (macOS)."""
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _unescape(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), word)
