"""What a replaying Ollama remembers, and its words for names and times; standard library alone."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOREVER_S = 2**63 / 1e9


def shown(name: str) -> str:
    """The name as lists show it."""
    bare = name.rpartition("://")[2]
    tagged = bare if ":" in bare.split("/")[-1] else f"{bare}:latest"
    return re.sub(r"^(registry\.ollama\.ai/)?(library/)?", "", tagged)


def script(name: str) -> str:
    return shown(name).split("/")[-1].split(":")[0]


def stamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def seconds(keep_alive: object) -> float:
    """A keep_alive; raises ValueError."""
    text = str(keep_alive)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        total = float(text)
    elif parts and re.fullmatch(r"-?((\d+(\.\d+)?)(ms|h|m|s))+", text):
        total = sum(float(count) * {"h": 3600, "m": 60, "s": 1, "ms": 0.001}[unit] for count, unit in parts)
    else:
        raise ValueError(text)
    return FOREVER_S if total < 0 or text.startswith("-") else total


class State:
    """What is pulled (survives in `folder`) and what is loaded."""

    def __init__(self, folder: Path | None) -> None:
        self.file = folder / "replay.json" if folder else None
        self.blobs = folder / "blobs" if folder else None
        self.pulled: dict[str, float] = {}
        if self.file and self.file.exists():
            self.pulled = json.loads(self.file.read_text())
        self.expires: dict[str, float] = {}
        self.running: Counter[str] = Counter()
        self.pulls: Counter[str] = Counter()
        self.lock = threading.RLock()

    def cured(self) -> bool:
        """Whether the broken part of a download was removed from the folder; without a folder it never is."""
        return self.blobs is not None and not any(part.stat().st_size == 0 for part in self.blobs.glob("*-partial-*"))

    def find(self, name: str) -> str | None:
        return next((key for key in self.pulled if key.lower() == shown(name).lower()), None)

    def keep(self, name: str, *, there: bool) -> None:
        with self.lock:
            self.pulled.pop(name, None)
            if there:
                self.pulled[name] = time.time()
            if self.file:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self.file.write_text(json.dumps(self.pulled))

    def loaded(self) -> dict[str, float]:
        """Still listed: not yet expired, or being answered from."""
        with self.lock:
            self.expires = {k: at for k, at in self.expires.items() if at > time.time() or self.running[k]}
            return dict(self.expires)


def naming_words(name: str) -> dict[str, str]:
    """How the recorded models are called, and what they are called here."""
    return {"nosuch:latest": shown(name), "nosuch": name, "smollm2": name}


def naming(name: str) -> dict[str, str]:
    return {"name": name, "model": name, "digest": hashlib.sha256(name.lower().encode()).hexdigest()}


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
