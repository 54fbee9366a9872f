"""Secrets that can be compared, but never shown."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from llmstack.errors import SecretError


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference such as `env:HF_TOKEN`; the value is read when it is needed and never printed."""

    reference: str
    read: Callable[[], str] = field(repr=False, compare=False)

    def reveal(self) -> str:
        """The value. Raises SecretError when the reference cannot be read."""
        return self.read()


@dataclass(frozen=True, slots=True)
class Sealed:
    """`salt:hmac` of a secret: enough to tell whether a value is the same, from any controller."""

    text: str

    def matches(self, value: str) -> bool:
        """Whether `value` is the secret that was sealed."""
        salt, _, _ = self.text.partition(":")
        return hmac.compare_digest(seal(value, salt).text, self.text)


def revealed(values: Iterable[object]) -> tuple[str, ...]:
    """What those are that are secrets and can be read."""
    found = []
    for value in values:
        with suppress(SecretError):
            found += [value.reveal()] if isinstance(value, Secret) else []
    return tuple(found)


def seal(value: str, salt: str | None = None) -> Sealed:
    """HMAC-SHA256 of `value` under `salt` (a fresh one when None), as `salt:hexdigest`."""
    salt = salt or secrets.token_hex(16)
    return Sealed(f"{salt}:{hmac.new(salt.encode(), value.encode(), hashlib.sha256).hexdigest()}")
