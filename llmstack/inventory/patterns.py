"""Host patterns: union by `:` or `,`, `&` narrows, `!` excludes, `*` globs, `~` regular expressions, `[n]` picks.

Unions come first, then `&`, then `!`, whatever the written order; only exclusions mean "all but those".
"""

from __future__ import annotations

import fnmatch
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmstack.domain.names import nearest

MAX_REPEATS = 3
"""A regular expression with more repeats than this, or a repeated group, could run for hours on a long name."""

MOST_SHOWN = 12

_PICK = re.compile(r"(.+)\[(?:(-?[0-9]{1,6})|([0-9]{0,6}):([0-9]{0,6}))\]")

Groups = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with `length` characters from `start` on of the pattern number `part`."""

    part: int
    code: str
    start: int
    length: int
    message: str
    suggestion: str | None = None


class _NoMatchError(Exception):
    def __init__(self, code: str, why: str, suggestion: str | None = None) -> None:
        super().__init__(why)
        self.code, self.why, self.suggestion = code, why, suggestion


def select(patterns: Sequence[str], groups: Groups, hosts: Sequence[str]) -> tuple[tuple[str, ...], list[Mistake]]:
    """The hosts that `patterns` pick together, in inventory order, and every mistake in them."""
    chosen: dict[str, list[set[str]]] = {"": [], "&": [], "!": []}
    mistakes: list[Mistake] = []
    for part, pattern in enumerate(patterns):
        terms = list(_terms(pattern))
        if not terms:
            mistakes.append(Mistake(part, "E020", 0, len(pattern), "the pattern is empty", "a host, a group, or all"))
        for start, written in terms:
            kind = written[0] if written[0] in "&!" else ""
            term = written[len(kind) :].strip()
            try:
                chosen[kind].append(set(_match(term, groups, hosts)))
            except _NoMatchError as miss:
                message, at = f"pattern '{pattern}' {miss.why}", start + written.index(term)
                mistakes.append(Mistake(part, miss.code, at, len(term), message, miss.suggestion))
    picked = set().union(*chosen[""]) if chosen[""] else set(hosts)
    picked = picked.intersection(*chosen["&"]).difference(*chosen["!"])
    return tuple(host for host in hosts if host in picked), mistakes


def _terms(pattern: str) -> Iterable[tuple[int, str]]:
    """(start, text) of each term; separators inside brackets belong to the term."""
    depth = start = 0
    for index, letter in enumerate(pattern + ","):
        depth += (letter in "[({") - (letter in "])}")
        if letter in ":," and (depth <= 0 or index == len(pattern)):
            text = pattern[start:index]
            if text.strip():
                yield start + len(text) - len(text.lstrip()), text.strip()
            start, depth = index + 1, 0


def _match(term: str, groups: Groups, hosts: Sequence[str]) -> Sequence[str]:
    if term.startswith("~"):
        return _matching(_compiled(term), term, groups, hosts)
    if pick := _PICK.fullmatch(term):
        return _picked(pick, _by_name(pick[1], groups, hosts))
    return _by_name(term, groups, hosts)


def _by_name(term: str, groups: Groups, hosts: Sequence[str]) -> Sequence[str]:
    if term in groups:
        return groups[term]
    if term in hosts:
        return (term,)
    if any(letter in term for letter in "*?["):
        return _matching(re.compile(fnmatch.translate(term)), term, groups, hosts)
    near = nearest(term, (*groups, *hosts))
    known = _known(groups)
    raise _NoMatchError(
        "E021", f"names no host or group '{term}'", f"did you mean '{near}'? ({known})" if near else known
    )


def _known(groups: Groups) -> str:
    names = sorted(groups)
    return f"groups: {', '.join(names[:MOST_SHOWN])}{', ...' if len(names) > MOST_SHOWN else ''}"


def _compiled(term: str) -> re.Pattern[str]:
    if len(re.findall(r"[*+?{]", term)) > MAX_REPEATS or re.search(r"\)[*+?{]", term):
        raise _NoMatchError(
            "E020", f"repeats a group, or repeats more than {MAX_REPEATS} times, in '{term}'", "simplify it"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(term[1:])
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise _NoMatchError("E020", f"has no valid regular expression in '{term}': {error}") from error


def _matching(regex: re.Pattern[str], term: str, groups: Groups, hosts: Sequence[str]) -> Sequence[str]:
    names = [name for name in (*groups, *hosts) if regex.match(name)]
    if not names:
        raise _NoMatchError("E021", f"matches no host or group with '{term}'", _known(groups))
    return [host for name in names for host in groups.get(name, (name,))]


def _picked(pick: re.Match[str], found: Sequence[str]) -> Sequence[str]:
    if pick[2] is not None:
        index = int(pick[2])
        chosen = found[index : index + 1 or None]
    else:
        chosen = found[int(pick[3] or 0) : int(pick[4]) + 1 if pick[4] else None]
    if not chosen:
        raise _NoMatchError("E020", f"is out of range in '{pick[0]}': '{pick[1]}' has {len(found)} hosts")
    return chosen
