"""A type's own options: a plain dataclass, checked against what the inventory says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_SWITCH = {**dict.fromkeys(("true", "yes", "on"), True), **dict.fromkeys(("false", "no", "off"), False)}
_FROM_TEXT: Mapping[Any, Callable[[str], Any]] = {int: int, float: float, bool: lambda text: _SWITCH[text.lower()]}
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class NoOptions:
    """For types without options."""


@dataclass(frozen=True, slots=True)
class OptionMistake:
    """One wrong option; `choices` are the names or values that would do, `fix` is said where there are none."""

    name: str
    message: str
    fix: str
    choices: tuple[str, ...] = ()
    unknown: bool = False


def parse_options(options_class: type, raw: Mapping[str, Any]) -> tuple[Any | None, tuple[OptionMistake, ...]]:
    """An instance of `options_class` made of `raw`, or None and everything that is wrong with it. A number or a switch
    may be text, as variables fill it in."""
    hints = get_type_hints(options_class) if raw else {}
    raw = {name: _cast(value, hints.get(name)) for name, value in raw.items()}
    mistakes = tuple(_mistakes(options_class, raw, hints))
    return (None, mistakes) if mistakes else (options_class(**raw), ())


def _cast(value: Any, hint: Any) -> Any:
    """A text as the first type that it can be; what it cannot be stays text."""
    for part in get_args(hint) or (hint,):
        if isinstance(value, str) and part in _FROM_TEXT and not _fits(value, hint):
            with suppress(KeyError, ValueError):
                return _FROM_TEXT[part](value)
    return value


def _mistakes(options_class: type, raw: Mapping[str, Any], hints: Mapping[str, Any]) -> Iterator[OptionMistake]:
    known = {field.name: field for field in fields(options_class)}
    for name, value in raw.items():
        if name not in known:
            yield OptionMistake(name, f"unknown option '{name}'", "remove it", tuple(known), unknown=True)
        elif not _fits(value, hints[name]):
            message = f"option '{name}' should be {_describe(hints[name])}"
            example = next(iter(known[name].metadata.get("examples", ())), None)
            fix = "correct it, or leave it out" if example is None else f"such as {example}"
            yield OptionMistake(name, message, fix, _choices(hints[name]))
    for name, field in known.items():
        if name not in raw and field.default is MISSING and field.default_factory is MISSING:
            yield OptionMistake(name, f"option '{name}' is missing", f"write {name}: VALUE below options", unknown=True)


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, {float: int | float, str: str}.get(hint, hint))


def _describe(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_describe(part) for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    return _WORDS.get(hint, str(getattr(hint, "__name__", hint)))


def _choices(hint: Any) -> tuple[str, ...]:
    return tuple(map(str, get_args(hint))) if get_origin(hint) is Literal else ()
