"""Repeat, take medians, compare with a peer, and say on what machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build" / "benchmarks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that stands for itself; `least` and `most` are what it should keep to."""

    what: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether it keeps to its target; None without one."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def row(self) -> tuple[str, str, str]:
        """What, how much, and what it should be, as text."""
        wanted = [
            f"{word} {bound:g}"
            for word, bound in (("at least", self.least), ("at most", self.most))
            if bound is not None
        ]
        kept = {True: ", kept", False: ", missed", None: ""}[self.met]
        value = f"{self.value:,}" if isinstance(self.value, int) else f"{self.value:.3g}"
        return (self.what, f"{value} {self.unit}".strip(), " ".join(wanted) + kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Runs in seconds of each subject; the first one is the peer that the others are compared with."""

    name: str
    title: str
    note: str
    seconds: Mapping[str, list[float]] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Subject, median, range and ratio to the peer, as text."""
        peer = median(next(iter(self.seconds.values())))
        return [
            (
                name,
                f"{median(runs) * 1e3:.0f}",
                f"{min(runs) * 1e3:.0f}-{max(runs) * 1e3:.0f}",
                f"{median(runs) / peer:.2f}",
            )
            for name, runs in self.seconds.items()
        ]

    def markdown(self) -> str:
        """A section of the document."""
        parts = [f"## {self.title}", self.note]
        if self.seconds:
            parts.append(table(("what", "median ms", "range ms", "ratio"), self.rows()))
            parts.append(f"{len(next(iter(self.seconds.values())))} repetitions, in turn.")
        if self.figures:
            parts.append(table(("figure", "value", "target"), [figure.row() for figure in self.figures]))
        return "\n\n".join(parts) + "\n"

    def summary(self) -> dict[str, object]:
        """Medians, ratios and figures, ready for JSON."""
        medians = {subject: median(runs) for subject, runs in self.seconds.items()}
        peer = next(iter(medians.values()), 1.0)
        return {
            "title": self.title,
            "medians_s": medians,
            "ratios": {subject: value / peer for subject, value in medians.items()},
            "figures": [{**asdict(figure), "met": figure.met} for figure in self.figures],
        }

    def save(self) -> None:
        """Write `build/benchmarks/NAME.json` with every single run, and print the table."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        record = {"machine": machine(), **self.summary(), "seconds": dict(self.seconds)}
        (RESULTS / f"{self.name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(self.markdown(), flush=True)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of the document."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def in_turn(subjects: Mapping[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """Seconds of each subject, all of them once per round, so that a busy moment hits them alike."""
    for run in subjects.values():
        run()  # fills caches; not counted
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(repetitions):
        for name, run in subjects.items():
            seconds[name].append(run())
    return seconds


def timed(argv: list[str], *, env: Mapping[str, str], cwd: Path = ROOT, codes: Container[int] = (0,)) -> float:
    """Seconds from the start of a command to its end, which must be one of `codes`."""
    begun = time.perf_counter()
    run = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    spent = time.perf_counter() - begun
    if run.returncode not in codes:
        raise SystemExit(f"{' '.join(argv)} ended with {run.returncode}:\n{run.stdout}{run.stderr}")
    return spent


def private_env(room: Path) -> dict[str, str]:
    """This environment with a store and state of its own; Python may keep its bytecode, as it does for users."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LLMSTACK_")}
    clean.pop("PYTHONDONTWRITEBYTECODE", None)
    return clean | {"LLMSTACK_STORE": str(room / "store.db"), "LLMSTACK_PROCESS_ROOT": str(room / "processes")}


def machine() -> str:
    """Cores, memory, system and Python; no names."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])} ({platform.machine()})"
    return f"{os.cpu_count()} cores, {gib:.0f} GiB, {system}, Python {platform.python_version()}"
