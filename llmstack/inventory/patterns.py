"""Which hosts are meant, as Ansible writes it.

Ranges in the names of hosts: `gpu[01:03].lab`, `jet[a:c]`, `n[1:7:3]`; both ends belong to it.

Patterns: union by `:` or `,`, `&` narrows, `!` excludes, `*` globs, `~` regular expressions, `[n]` picks. Unions come
first, then `&`, then `!`, whatever the written order; only exclusions mean "all but those".
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from string import ascii_letters

from llmstack.domain.names import nearest
from llmstack.inventory.nodes import Spot, plain, within

MAX_HOSTS = 10_000
MOST_SHOWN = 12

_RANGE = re.compile(r"\[([0-9]{0,9}|[a-zA-Z]):([0-9]{1,9}|[a-zA-Z])(?::([1-9][0-9]{0,8}))?\]")
_TERM = re.compile(r"\s*+([&!]?)\s*+((?=[^\s:,])(?:\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|[^:,])+)")
_PICK = re.compile(r"(.+)\[(?:(-?[0-9]{1,6})|([0-9]{0,6}):([0-9]{0,6}))\]")

Groups = Mapping[str, tuple[str, ...]]


def expand(name: str) -> list[str]:
    """All names that `name` stands for. Raises ValueError with the reason in plain words."""
    names = [""]
    for part in re.split(r"(\[[^\]]*\])", name):
        choices = _members(part) if set(part) & set("[]") else [part]
        if len(names) * len(choices) > MAX_HOSTS:
            raise ValueError(f"'{name}' stands for more than {MAX_HOSTS} hosts")
        names = [head + choice for head in names for choice in choices]
    return names


def _members(text: str) -> Sequence[str]:
    found = _RANGE.fullmatch(text)
    if not found or (found[1] or "0").isdigit() != found[2].isdigit():
        raise ValueError(f"range {text} should be [first:last] or [first:last:step], of numbers or letters")
    first, last, step = found[1] or "0", found[2], int(found[3] or 1)
    if first.isdigit():
        width = len(first) if first.startswith("0") else 0
        members = [str(number).zfill(width) for number in range(int(first), int(last) + 1, step)[: MAX_HOSTS + 1]]
    else:
        members = list(ascii_letters[ascii_letters.index(first) : ascii_letters.index(last) + 1 : step])
    if not members:
        raise ValueError(f"range {text} ends before it starts")
    return members


class _NoMatchError(Exception):
    """Code, reason and suggestion."""


def select(spot: Spot, groups: Groups, hosts: Sequence[str]) -> tuple[str, ...]:
    """The hosts that a pattern, or a list of them, picks together, in inventory order. Mistakes are noted."""
    chosen: dict[str, list[set[str]]] = {"": [], "&": [], "!": []}
    fine = True
    for part in spot.items() if isinstance(spot.node.value, list) else [spot]:
        fine &= (pattern := part.text()) is not None
        for found in _TERM.finditer(pattern or ""):
            kind, term = found[1], found[2].rstrip()
            try:
                chosen[kind].append(set(_match(term, groups, hosts)))
            except _NoMatchError as miss:
                fine, (code, why, suggestion) = False, miss.args
                at = within(part.node, found.start(2), len(term))
                spot.problems.add(at, code, f"pattern '{pattern}' {why}", suggestion)
    picked = set().union(*chosen[""]) if chosen[""] else set(hosts)
    picked = picked.intersection(*chosen["&"]).difference(*chosen["!"])
    if fine and not (picked and any(chosen.values())):
        message = f"pattern '{plain(spot.node)}' selects no host"
        spot.add("E022", message, "for a durable off write enabled: false", key=False)
    return tuple(host for host in hosts if host in picked)


def _match(term: str, groups: Groups, hosts: Sequence[str]) -> Sequence[str]:
    if term.startswith("~"):
        try:
            return _matching(re.compile(term[1:]), term, groups, hosts)
        except (re.error, OverflowError, RecursionError) as error:
            raise _NoMatchError("E020", f"has no valid regular expression in '{term}': {error}", None) from error
    pick = _PICK.fullmatch(term)
    return _picked(pick, _by_name(pick[1], groups, hosts)) if pick else _by_name(term, groups, hosts)


def _by_name(term: str, groups: Groups, hosts: Sequence[str]) -> Sequence[str]:
    if term in groups:
        return groups[term]
    if term in hosts:
        return (term,)
    if set(term) & set("*?["):
        return _matching(re.compile(fnmatch.translate(term)), term, groups, hosts)
    near = nearest(term, (*groups, *hosts))
    known = f"did you mean '{near}'? ({_known(groups)})" if near else _known(groups)
    raise _NoMatchError("E021", f"names no host or group '{term}'", known)


def _known(groups: Groups) -> str:
    names = sorted(groups)
    return f"groups: {', '.join(names[:MOST_SHOWN])}{', ...' if len(names) > MOST_SHOWN else ''}"


def _matching(regex: re.Pattern[str], term: str, groups: Groups, hosts: Sequence[str]) -> Sequence[str]:
    names = [name for name in (*groups, *hosts) if regex.match(name)]
    if not names:
        raise _NoMatchError("E021", f"matches no host or group with '{term}'", _known(groups))
    return [host for name in names for host in groups.get(name, (name,))]


def _picked(pick: re.Match[str], found: Sequence[str]) -> Sequence[str]:
    """Both ends of a slice belong to it."""
    first = int(pick[2] or pick[3] or 0)
    last = first if pick[2] else int(pick[4] or -1)
    chosen = found[first : last + 1 or None]
    if not chosen:
        raise _NoMatchError("E020", f"is out of range in '{pick[0]}': '{pick[1]}' has {len(found)} hosts", None)
    return chosen
