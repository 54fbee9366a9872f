"""Run all benchmarks and write docs/benchmarks.md and .json, or run those named: `python -m benchmarks [NAME ...]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from benchmarks import fleet, operations, planning, startup, stats, thousand, unchanged, up_to_answered, watching
from benchmarks.measure import ROOT, Benchmark, machine

HEADER = """# Benchmarks

Written by `make bench`, which takes about fifteen minutes and a minute more the first time, when it installs the peers
(Compose, Ansible) in environments of their own below `build/`. Figures are medians of whole processes where nothing
else is said. Peers run on the same engine, in the same rounds: the ratio is what counts. It needs root, and a Docker
engine to start one of its own in a container; nothing else on that engine is touched. The same figures are in
[benchmarks.json](benchmarks.json), every single run in `build/benchmarks/`.

Machine: {machine}.
"""
ALL: dict[str, Callable[[], tuple[Benchmark, ...]]] = {
    "fleet": fleet.measure,
    "unchanged": unchanged.measure,
    "operations": operations.measure,
    "watching": watching.measure,
    "stats": stats.measure,
    "planning": planning.measure,
    "thousand": thousand.measure,
    "up_to_answered": up_to_answered.measure,
    "startup": startup.measure,
}


def measured(names: list[str]) -> list[Benchmark]:
    """Each is saved as soon as it is done."""
    found = []
    for name in names:
        for benchmark in ALL[name]():
            benchmark.save()
            found.append(benchmark)
    return found


def write(found: list[Benchmark]) -> None:
    """The document, and the same as JSON."""
    text = "\n".join([HEADER.format(machine=machine()), *(benchmark.markdown() for benchmark in found)])
    (ROOT / "docs" / "benchmarks.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    record = {"machine": machine(), "benchmarks": {benchmark.name: benchmark.summary() for benchmark in found}}
    (ROOT / "docs" / "benchmarks.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:]:
        measured(sys.argv[1:])
    else:
        write(measured([*ALL]))
