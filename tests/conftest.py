"""Clean room, markers and reports of all suites."""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmstack.domain.stop import STOP
from tests import room

pytest_plugins = ["tests.rig.fixtures"]

IMAGES_TIMEOUT_S = 900
"""The first Docker test of a machine builds the images of all others, which takes minutes."""


@pytest.fixture(scope="session", autouse=True)
def clean_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A private home for whatever fixtures of a wider scope start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        patch.setenv("LLMSTACK_TEST_CACHE", str(room.cache_dir()))
        _clean(patch, tmp_path_factory)
        yield


@pytest.fixture(autouse=True)
def clean_room(
    clean_session: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """A private home, store and state for this test; returns the variables that were set."""
    return _clean(monkeypatch, tmp_path_factory)


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """What a test, or a front door that it loads, makes of Ctrl-C ends with it."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)
    STOP.clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A Docker test may have to wait for images."""
    for item in items:
        if item.get_closest_marker("docker") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(IMAGES_TIMEOUT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """In CI a test that could not run is a failure."""
    report: pytest.TestReport = yield
    if room.IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"a test could not run, which CI does not accept: {_reason(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which tests could not run and why, and how long each suite took beside its budget."""
    reports = [report for key in ("", "passed", "failed", "skipped") for report in terminalreporter.stats.get(key, [])]
    skipped = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.section("could not run")
        for reason, count in skipped.most_common():
            terminalreporter.write_line(f"{count:4d}  {reason}")
    spent: defaultdict[str, float] = defaultdict(float)
    for report in reports:
        spent[Path(report.nodeid).parts[1]] += report.duration
    terminalreporter.section("suites")
    for suite, seconds in sorted(spent.items()):
        terminalreporter.write_line(f"{suite:12s} {seconds:6.1f} s of {room.BUDGET_S.get(suite, 0)} s")


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ")


def _clean(patch: pytest.MonkeyPatch, paths: pytest.TempPathFactory) -> dict[str, str]:
    for name in [name for name in os.environ if room.foreign(name)]:
        patch.delenv(name)
    mine = room.private(paths.mktemp("room"))
    for name, value in mine.items():
        patch.setenv(name, value)
    return mine
