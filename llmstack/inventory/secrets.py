"""Secret references: checked when the inventory is loaded, read only when they are needed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from llmstack.domain.names import nearest
from llmstack.domain.position import Via
from llmstack.domain.secret import Secret
from llmstack.errors import SecretError
from llmstack.inventory.nodes import ONE_WORD, Spot

_NAME = re.compile(r"(?:^|[_:])(?:pass(?:word|wd|phrase)?|secret|token|credentials?|api_?key)(?:_|$)", re.IGNORECASE)
MAX_BYTES = 65_536
COMMAND_TIMEOUT_S = 10.0


def is_hidden(name: str, via: Iterable[Via]) -> bool:
    """Whether a value is kept from view: it is called like a secret, or a variable is that fills a part of it."""
    return any(_NAME.search(each) for each in (name, *(filled for filled, _ in via)))


def secret_of(spot: Spot) -> Secret | None:
    """The secret that a mapping with `from` refers to; None when it is wrong and noted."""
    source = spot.get("from")
    kind = source.node.text or ""
    if kind not in KINDS:
        source.wrong("env, file or command", nearest(kind, KINDS) or "such as {from: env, name: NAME}")
        return None
    key, read = KINDS[kind]
    spot.entries(("from", key))
    given = spot.get(key)
    if given.node.value is None:
        if not nearest(key, spot.node.table.keys() - {"from"}):  # else that is told
            fix = f"{{from: {kind}, {key}: {'[PROGRAM, ARGUMENT]' if key == 'argv' else key.upper()}}}"
            spot.add("E011", f"{spot.where} has no {key}", fix, key=False)
        return None
    words = [item.node.text or "" for item in given.items()] if key == "argv" else [given.node.text or ""]
    if not words or not all(words):
        should_be, fix = (
            ("a list: a program and its arguments", "[pass, show, lab]") if key == "argv" else ("text", ONE_WORD)
        )
        given.wrong(should_be, fix)
        return None
    reference = f"{kind}:{shlex.join(words) if key == 'argv' else words[0]}"
    return Secret(reference, partial(read, reference, words, spot))


def _env(reference: str, words: list[str], spot: Spot) -> str:
    if value := spot.environ.get(words[0]):
        return value
    hint = f"export {words[0]}=..., or write it into {Path(spot.folder, '.env')}"
    raise _unreadable(reference, "is not set", hint)


def _file(reference: str, words: list[str], spot: Spot) -> str:
    path = Path(spot.folder, os.path.expanduser(words[0]))
    try:
        if not path.is_file():
            raise _unreadable(reference, "is not there", f"write it into {path}, mode 600")
        if path.stat().st_mode & 0o004:
            raise _unreadable(reference, "is readable by everybody on this machine", f"chmod 600 {path}")
        with path.open("rb") as file:
            return _clean(file.read(MAX_BYTES + 1), reference)
    except OSError as error:
        raise _unreadable(reference, f"cannot be read: {error.strerror}", f"ls -l {path}") from error


def _command(reference: str, argv: list[str], spot: Spot) -> str:
    try:
        done = subprocess.run(
            argv, cwd=spot.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except OSError as error:
        raise _unreadable(reference, f"cannot be run: {error.strerror}", f"install {argv[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise _unreadable(reference, f"did not come within {COMMAND_TIMEOUT_S:g} s", "try it by hand") from error
    if done.returncode:
        raise _unreadable(reference, f"ended with exit code {done.returncode}", "try it by hand")
    return _clean(done.stdout, reference)


KINDS = {"env": ("name", _env), "file": ("path", _file), "command": ("argv", _command)}


def _clean(raw: bytes, reference: str) -> str:
    """The text without its last line break; errors never show any of it."""
    value = raw.decode(errors="replace").removesuffix("\n").removesuffix("\r")
    if not value or set(value) & {"\0", "\ufffd"} or len(raw) > MAX_BYTES:
        raise _unreadable(reference, "is empty, too long, or no UTF-8 text", "look at what it holds")
    return value


def _unreadable(reference: str, why: str, hint: str) -> SecretError:
    return SecretError(f"the secret {reference} {why}", hint, reference=reference)
