"""Host ranges as Ansible writes them: `gpu[01:03].lab`, `jet[a:c]`, `n[1:7:3]`; both ends belong to it."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Sequence

MAX_HOSTS = 10_000

_RANGE = re.compile(r"\[([^\[\]]*)\]")
_NUMBER = re.compile(r"[0-9]{1,9}")


def expand(name: str) -> list[str]:
    """All names that `name` stands for. Raises ValueError with the reason in plain words."""
    parts = _RANGE.split(name)
    if any(bracket in text for text in parts[::2] for bracket in "[]"):
        raise ValueError(f"'{name}' has an open bracket")
    choices = [_members(part) if index % 2 else [part] for index, part in enumerate(parts)]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MAX_HOSTS:
        raise ValueError(f"'{name}' stands for {count} hosts; {MAX_HOSTS} is the most")
    return ["".join(combination) for combination in itertools.product(*choices)]


def _members(text: str) -> Sequence[str]:
    bounds = text.split(":")
    if len(bounds) not in (2, 3):
        raise ValueError(f"range [{text}] should be [first:last] or [first:last:step]")
    first, last = bounds[0] or "0", bounds[1]
    step = int(bounds[2]) if len(bounds) == 3 and _NUMBER.fullmatch(bounds[2]) else 1
    if step < 1 or (len(bounds) == 3 and not _NUMBER.fullmatch(bounds[2])):
        raise ValueError(f"range [{text}] needs a step of 1 or more")
    if _NUMBER.fullmatch(first) and _NUMBER.fullmatch(last):
        return _numbers(text, first, last, step)
    if len(first) == len(last) == 1 and first in string.ascii_letters and last in string.ascii_letters:
        return _filled(text, string.ascii_letters[_letter(first) : _letter(last) + 1 : step])
    raise ValueError(f"range [{text}] should run between two numbers or two letters")


def _numbers(text: str, first: str, last: str, step: int) -> Sequence[str]:
    padded = len(first) > 1 and first.startswith("0")
    if padded and len(first) != len(last):
        raise ValueError(f"range [{text}] should have ends of the same width")
    if int(last) - int(first) > MAX_HOSTS * step:
        raise ValueError(f"range [{text}] stands for more than {MAX_HOSTS} hosts")
    width = len(first) if padded else 0
    return _filled(text, [str(number).zfill(width) for number in range(int(first), int(last) + 1, step)])


def _filled(text: str, members: Sequence[str]) -> Sequence[str]:
    if not members:
        raise ValueError(f"range [{text}] ends before it starts")
    return members


def _letter(letter: str) -> int:
    return string.ascii_letters.index(letter)
