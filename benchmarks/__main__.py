"""Run all benchmarks and write docs/benchmarks.md."""

from __future__ import annotations

from benchmarks import startup, up_to_answered
from benchmarks.measure import ROOT, machine

HEADER = """# Benchmarks

Written by `make bench`. Figures are medians of whole processes; the ratio to the peer of the same run is what counts.

Machine: {machine}.
"""

if __name__ == "__main__":
    sections = {"up_to_answered": up_to_answered.measure(), "startup": startup.measure()}
    for name, benchmark in sections.items():
        benchmark.save(name)
    text = "\n".join([HEADER.format(machine=machine()), *(benchmark.markdown() for benchmark in sections.values())])
    (ROOT / "docs" / "benchmarks.md").write_text(text.rstrip() + "\n", encoding="utf-8")
