"""A systemd unit that runs `up` when the machine starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmstack.errors import LlmstackError, UsageError, refused

ENGINES = ("PATH", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
KEPT = (*ENGINES, "LLMSTACK_PROCESS_ROOT", "LLMSTACK_WEIGHTS", "XDG_DATA_HOME", "XDG_STATE_HOME")
"""Variables without which `up` would look elsewhere than now; no other goes into a file that everybody can read."""
ROOT_HINT = "run it as root (sudo), or without --system for your own user"
SYSTEM = Path("/etc/systemd/system")

AFTER = "Wants=network-online.target\nAfter=network-online.target docker.service podman.socket\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit's file, with the link that makes it run at boot."""

    path: Path
    link: Path
    text: str = ""

    def install(self) -> None:
        """Write it, over one of before. Raises LlmstackError."""
        with refused(LlmstackError, f"cannot write {self.path}", ROOT_HINT):
            self.link.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.text, encoding="utf-8")
            self.link.unlink(missing_ok=True)
            self.link.symlink_to(self.path)

    def remove(self) -> bool:
        """Take it away; whether it was there. Raises LlmstackError."""
        there = self.path.exists()
        with refused(LlmstackError, f"cannot write {self.path}", ROOT_HINT):
            for path in (self.link, self.path):
                path.unlink(missing_ok=True)
        return there


def place(stack: str, environ: Mapping[str, str], *, system: bool) -> Unit:
    """PURE: where the unit of a stack lies, of this user or of the system."""
    config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".config")
    folder, name = SYSTEM if system else Path(config) / "systemd" / "user", f"llmstack-{stack}.service"
    return Unit(path=folder / name, link=folder / f"{target(system=system)}.wants" / name)


def target(*, system: bool) -> str:
    """PURE: what the unit is started with."""
    return "multi-user.target" if system else "default.target"


def text(stack: str, command: Sequence[str], folder: str, environ: Mapping[str, str], *, system: bool) -> str:
    """The unit's text: it stays active, and to stop it stops no model; a host that does not answer yet is asked again
    after 30 s. Raises UsageError for what cannot stand in one."""
    kept = [(name, environ[name]) for name in KEPT if environ.get(name)]
    return (
        Path(__file__)
        .with_suffix(".service")
        .read_text(encoding="utf-8")
        .format(
            stack=stack,
            after=AFTER if system else "",
            command=" ".join(quoted(word).replace("$", "$$") for word in command),
            folder=_line(folder).replace("%", "%%"),
            environment="".join(f"Environment={quoted(f'{name}={value}')}\n" for name, value in kept),
            target=target(system=system),
        )
    )


def quoted(word: str) -> str:
    """PURE: one word of a line of a unit. Raises UsageError."""
    inside = _line(word).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{inside}"'


def _line(text: str) -> str:
    if not text.isprintable():
        raise UsageError(f"{text!r} cannot stand in a systemd unit", "take a path without such characters")
    return text
