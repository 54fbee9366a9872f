"""Which hosts are meant, as Ansible writes it.

Ranges in the names of hosts: `gpu[01:03].lab`, `jet[a:c]`, `n[1:7:3]`; both ends belong to it.

Patterns: union by `:` or `,`, `&` narrows, `!` excludes, `*` globs, `~` regular expressions, `[n]` picks. Unions come
first, then `&`, then `!`, whatever the written order; only exclusions mean "all but those".
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from string import ascii_letters

from llmstack.domain.names import nearest
from llmstack.domain.position import Position
from llmstack.domain.service import Inventory
from llmstack.errors import InventoryError, NoMatchError
from llmstack.inventory.nodes import MOST_LISTED, Node, Problems, Spot, listed, plain, within
from llmstack.inventory.values import PATTERN

MAX_HOSTS = 10_000
MAX_WILD, MAX_REPEATS = 1_000, 4

_RANGE = re.compile(r"\[([0-9]{0,9}|[a-zA-Z]):([0-9]{1,9}|[a-zA-Z])(?::([1-9][0-9]{0,8}))?\]")
_TERM = re.compile(r"\s*+([&!]?)\s*+((?=[^\s:,])(?:\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|[^:,])+)")
_PICK = re.compile(r"(.+)\[(?:(-?[0-9]{1,6})|([0-9]{0,6}):([0-9]{0,6}))\]")

_PLAINER = "name hosts or groups, or use * and ? alone"
_SPECIAL = set(":,&!~*?[ ")

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
        width = len(first) if first.startswith("0") and first != "0" else 0
        if width and width != len(last):
            raise ValueError(f"range {text} should have as many digits in its end as in its zero-padded start")
        members = [str(number).zfill(width) for number in range(int(first), int(last) + 1, step)[: MAX_HOSTS + 1]]
    else:
        members = list(ascii_letters[ascii_letters.index(first) : ascii_letters.index(last) + 1 : step])
    if not members:
        raise ValueError(f"range {text} ends before it starts")
    return members


class _NoMatchError(Exception):
    """Code, reason and suggestion."""


class Chooser:
    """Finds hosts by pattern among all that there are. A group's hosts stand in the order in which `[n]` counts."""

    def __init__(self, groups: Groups, hosts: Sequence[str]) -> None:
        self._groups, self._hosts = groups, hosts
        self._rank = {host: index for index, host in enumerate(hosts)}
        self._found: dict[str, Sequence[str]] = {}

    def select(self, spot: Spot) -> tuple[str, ...]:
        """The hosts that a pattern, or a list of them, picks together, in inventory order. Mistakes are noted."""
        chosen: dict[str, list[Sequence[str]]] = {"": [], "&": [], "!": []}
        fine = True
        for part in spot.items() if isinstance(spot.node.value, list) else [spot]:
            pattern = PATTERN(part)
            fine &= pattern is not None and self._terms(part, pattern, chosen)
        picked = set().union(*chosen[""]) if chosen[""] else set(self._hosts)
        picked = picked.intersection(*chosen["&"]).difference(*chosen["!"])
        if fine and not (picked and any(chosen.values())):
            message = f"pattern '{plain(spot.node)}' selects no host"
            spot.add("E022", message, "for a durable off write enabled: false", key=False)
        return tuple(sorted(picked, key=self._rank.__getitem__))

    def _terms(self, part: Spot, pattern: str, chosen: Mapping[str, list[Sequence[str]]]) -> bool:
        fine = True
        for found in _TERM.finditer(pattern):
            kind, term = found[1], found[2].rstrip()
            try:
                chosen[kind].append(self._match(term))
            except _NoMatchError as miss:
                fine, (code, why, suggestion) = False, miss.args
                at = within(part.node, found.start(2), len(term))
                told = why.removesuffix(f" '{pattern}'")  # a pattern of one name is told once
                part.problems.add(at, code, f"pattern '{pattern}' {told}", suggestion)
        return fine

    def _match(self, term: str) -> Sequence[str]:
        if term.startswith("~"):
            return self._matching(term, lambda: _regex(term))
        pick = _PICK.fullmatch(term)
        return _picked(pick, self._by_name(pick[1])) if pick else self._by_name(term)

    def _by_name(self, term: str) -> Sequence[str]:
        if term in self._groups:
            return self._groups[term]
        if term in self._rank:
            return (term,)
        if set(term) & set("*?["):
            return self._matching(term, lambda: re.compile(fnmatch.translate(term)))
        near = nearest(term, (*self._groups, *self._hosts))
        groups = f"(groups: {listed(self._groups)})"
        known = f"did you mean '{near}'? {groups}" if near else f"add it to all: {groups}"
        raise _NoMatchError("E021", f"names no host or group '{term}'", known)

    def _matching(self, term: str, compiled: Callable[[], re.Pattern[str]]) -> Sequence[str]:
        """Every host of every group that matches, then every host that does: what `[n]` counts in."""
        if term not in self._found:
            if len(self._found) >= MAX_WILD:
                raise _NoMatchError("E004", f"is one of more than {MAX_WILD} that are no plain names", _PLAINER)
            regex = compiled()
            names = [name for name in (*self._groups, *self._hosts) if regex.match(name)]
            if not names:
                raise _NoMatchError(
                    "E021", f"matches no host or group with '{term}'", f"groups: {listed(self._groups)}"
                )
            self._found[term] = [host for name in names for host in self._groups.get(name, (name,))]
        return self._found[term]


def _regex(term: str) -> re.Pattern[str]:
    """A regular expression that ends in time on every name."""
    if re.search(r"\)[*+{]", term) or sum(map(term.count, "*+{")) > MAX_REPEATS:
        why = f"can take for ever with '{term}': a group is repeated, or more than {MAX_REPEATS} things are"
        raise _NoMatchError("E020", why, _PLAINER)
    try:
        return re.compile(term[1:])
    except (re.error, OverflowError, RecursionError) as error:
        why = f"has no valid regular expression in '{term}': {error}"
        raise _NoMatchError("E020", why, _PLAINER) from error


def _picked(pick: re.Match[str], found: Sequence[str]) -> Sequence[str]:
    """Both ends of a slice belong to it."""
    first = int(pick[2] or pick[3] or 0)
    last = first if pick[2] else int(pick[4] or -1)
    chosen = found[first : last + 1 or None]
    if not chosen:
        why = f"is out of range in '{pick[0]}': '{pick[1]}' has {len(found)} hosts"
        raise _NoMatchError("E020", why, "count from 0: [0] is the first, [-1] the last")
    return chosen


def hosts_matching(inventory: Inventory, pattern: str) -> tuple[str, ...]:
    """The hosts that a pattern of the command line picks. Raises NoMatchError."""
    at = Position("--host", 1, 1)
    spot = Spot(Node(at, pattern, pattern), at.file, Problems(pattern, at.file))
    found = Chooser(inventory.groups, tuple(inventory.hosts)).select(spot)
    try:
        spot.problems.raise_any()
    except InventoryError as error:
        known = [*inventory.hosts, *inventory.groups]
        near = nearest(pattern, known)
        question = f" Did you mean '{near}'?" if near else ""
        unknown = f"no host or group '{pattern}' in the inventory.{question}"
        message = error.problems[0].message if set(pattern) & _SPECIAL else unknown
        hint = f"hosts and groups: {' '.join(known[:MOST_LISTED])}{' ...' if len(known) > MOST_LISTED else ''}"
        raise NoMatchError(message, hint, name=pattern, suggestion=near) from error
    return found
