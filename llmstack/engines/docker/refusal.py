"""What an engine or the way to it refused, as an error that a person can act on; the rules are data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from llmstack.domain.engine_facts import ROOM_HINT
from llmstack.errors import FetchError, LlmstackError, NoMatchError, PreflightError, UnreachableError

LONGEST = 400
TOOL = "nvidia-container-cli: "
_CLASSES = {kind.name: kind for kind in (UnreachableError, PreflightError, FetchError, NoMatchError, LlmstackError)}
_CAUSED = (UnreachableError.name, PreflightError.name, None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`status` is None when no answer came; `text` is the engine's or the operating system's own; `otherwise` is the
    class of the error where the cause alone does not decide it."""

    doing: str
    host: str
    where: str
    status: int | None
    text: str
    otherwise: type[LlmstackError] = LlmstackError

    @property
    def short(self) -> str:
        """The text on one line of sane length."""
        line = " ".join(self.text.split())
        return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Applies when one of `words` is in the lowered text, `where` in the address, and `status` (None: any; 0: no answer
    came) fits; with `pull` to pulls alone. It becomes the class `error` (None: that of the caller), with `what`."""

    words: tuple[str, ...]
    what: str
    error: str | None = None
    hint: str = ROOM_HINT
    status: int | None = None
    where: str = ""
    pull: bool = False
    data: Mapping[str, object] = field(default_factory=dict)

    def fits(self, refusal: Refusal) -> bool:
        """Whether this rule explains `refusal`."""
        pulls = refusal.status is not None and refusal.doing.startswith("pull ")
        if (self.pull and not pulls) or self.status not in (None, refusal.status or 0):
            return False
        return self.where in refusal.where and any(word in refusal.text.lower() for word in self.words)

    def build(self, r: Refusal) -> LlmstackError:
        """The error, with the engine's own words."""
        caller = r.otherwise if r.otherwise is not LlmstackError else PreflightError
        kind = _CLASSES[self.error] if self.error else caller
        engine = f"the Docker engine of {r.host} ({r.where}) "
        told = engine if kind is UnreachableError else f"cannot {r.doing} on {r.host}: "
        told += self.what.format(short=r.short, tail=r.short.rpartition(TOOL)[2])
        return kind(told, self.hint, **{"cause": r.short} if self.error in _CAUSED else {}, **self.data)


@cache
def rules() -> tuple[Rule, ...]:
    """Those of `refusal.toml`, in order."""
    import tomllib

    found = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["rule"]
    return tuple(Rule(**{**rule, "words": tuple(rule["words"])}) for rule in found)


def explain(refusal: Refusal) -> LlmstackError:
    """The error for `refusal`."""
    rule = next((rule for rule in rules() if rule.fits(refusal)), None)
    if rule:
        return rule.build(refusal)
    return refusal.otherwise(
        f"cannot {refusal.doing} on {refusal.host}: {refusal.short}", "see `docker info` and the engine's own log"
    )
