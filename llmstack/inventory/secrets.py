"""Secret references: checked when the inventory is loaded, read only when they are needed."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from llmstack.domain.names import nearest
from llmstack.domain.secret import Secret
from llmstack.errors import SecretError
from llmstack.inventory.nodes import Listing, Node, Scalar, Table
from llmstack.inventory.problems import Problems

MAX_BYTES = 65_536
COMMAND_TIMEOUT_S = 10.0

_KEYS = {"env": "name", "file": "path", "command": "argv"}


def is_reference(node: Node) -> bool:
    """Whether a value is written as a secret: a mapping with `from`."""
    return isinstance(node, Table) and "from" in node.entries


def secret_of(table: Table, folder: str, environ: Mapping[str, str], problems: Problems) -> Secret | None:
    """The secret that a mapping refers to; None when it is wrong and noted. Relative paths start at `folder`."""
    kind = _kind(table, problems)
    if kind is None:
        return None
    key = _KEYS[kind]
    for name, entry in table.entries.items():
        if name not in ("from", key):
            message = f"unknown key '{name}' in a secret from {kind}"
            problems.add(entry.key_at, "E012", message, nearest(name, ("from", key)))
    node = table.get(key)
    if node is None:
        problems.add(table.at, "E041", f"a secret from {kind} needs '{key}'")
    elif kind == "command":
        return _command(node, folder, problems)
    elif not isinstance(node, Scalar):
        problems.add(node.at, "E041", f"'{key}' should be text")
    elif kind == "env":
        return _env(node.text, environ, folder)
    else:
        return _file(node, folder, problems)
    return None


def _kind(table: Table, problems: Problems) -> str | None:
    node = table.entries["from"].node
    kind = node.text if isinstance(node, Scalar) else ""
    if kind in _KEYS:
        return kind
    problems.add(node.at, "E041", "a secret comes from env, file or command", nearest(kind, _KEYS))
    return None


def _env(name: str, environ: Mapping[str, str], folder: str) -> Secret:
    reference = f"env:{name}"

    def read() -> str:
        if value := environ.get(name):
            return value
        raise _unreadable(reference, "is not set", f"export {name}=..., or write it into {Path(folder, '.env')}")

    return Secret(reference, read)


def _file(node: Scalar, folder: str, problems: Problems) -> Secret | None:
    path = Path(folder, os.path.expanduser(node.text))
    reference = f"file:{node.text}"
    if _is_world_readable(path):
        problems.add(node.at, "E041", f"everybody on this machine can read {path}", f"chmod 600 {path}")
        return None

    def read() -> str:
        if _is_world_readable(path):
            raise _unreadable(reference, "is readable by everybody on this machine", f"chmod 600 {path}")
        try:
            if not path.is_file():
                raise _unreadable(reference, "is not there", f"write it into {path}, mode 600")
            with path.open("rb") as file:
                return _clean(file.read(MAX_BYTES + 1), reference)
        except OSError as error:
            raise _unreadable(reference, f"cannot be read: {error.strerror}", f"ls -l {path}") from error

    return Secret(reference, read)


def _is_world_readable(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o004)
    except (OSError, ValueError):
        return False


def _command(node: Node, folder: str, problems: Problems) -> Secret | None:
    items = node.items if isinstance(node, Listing) else ()
    argv = [item.text for item in items if isinstance(item, Scalar) and item.text]
    if not argv or len(argv) != len(items):
        problems.add(node.at, "E041", "'argv' should be a list: a program and its arguments", "argv: [pass, show, hf]")
        return None
    reference = f"command:{shlex.join(argv)}"
    return Secret(reference, lambda: _output(argv, folder, reference))


def _output(argv: list[str], folder: str, reference: str) -> str:
    try:
        done = subprocess.run(
            argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except OSError as error:
        raise _unreadable(reference, f"cannot be run: {error.strerror}", f"install {argv[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise _unreadable(reference, f"did not come within {COMMAND_TIMEOUT_S:g} s", "try it by hand") from error
    if done.returncode:
        raise _unreadable(reference, f"ended with exit code {done.returncode}", "try it by hand")
    return _clean(done.stdout, reference)


def _clean(raw: bytes, reference: str) -> str:
    """The text without its last line break; errors never show any of it."""
    try:
        value = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        value = ""
    if not value or "\0" in value or len(raw) > MAX_BYTES:
        raise _unreadable(reference, "is empty, too long, or no UTF-8 text", "look at what it holds")
    return value


def _unreadable(reference: str, why: str, hint: str) -> SecretError:
    return SecretError(f"the secret {reference} {why}", hint, reference=reference)
