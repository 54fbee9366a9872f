"""`sync --watch` over an engine that is killed, flooded and frozen, and while it is stopped itself: in the end store
and engine say the same, and what happened was told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Thread
from typing import Any

import pytest

from llmstack.engines.docker.address import Address
from llmstack.engines.docker.client import Client
from tests.desk import DEADLINE_S, Desk, until
from tests.fault.conftest import Make
from tests.rig.host import RigHost

WRITERS = 4
WISHES = ("wanted", "differs")
"""What differs from the inventory, not between store and engine."""
WEB = """\
  {name}: {{type: container, image: "{image}", args: [sleep, "3600"], restart: "no", options: {{container_port: 80}}}}
"""
PROCESS = """\
llmstack: 1
stack: watched
services:
  a: {type: ollama, engine: process, port: PORT, restart: "no"}
"""


class Watching:
    """A command that watches, and what it has told so far."""

    def __init__(self, desk: Desk, process: subprocess.Popen[str]) -> None:
        self.desk, self.process, self.told = desk, process, list[dict[str, Any]]()
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.told.append(json.loads(line))

    def tells(self, name: str, *reasons: str) -> None:
        """Wait until it has told of `name` with one of these reasons, and store and engine are equal."""
        until(lambda: any(one.get("name") == name and one.get("reason") in reasons for one in self.told))
        until(self.is_equal)

    def is_equal(self) -> bool:
        """Whether nothing differs between the store and the engine."""
        ran = self.desk.run("sync", "--check", "-o", "json")
        return ran.code == 0 and all(one["reason"] in WISHES for one in json.loads(ran.out)["items"])


@contextmanager
def watching(desk: Desk) -> Iterator[Watching]:
    with desk.start("sync", "--watch", "-o", "ndjson") as process:
        try:
            yield Watching(desk, process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 143
            assert process.stderr
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def flood(host: RigHost, name: str, count: int) -> None:
    """Events that mean nothing."""

    def burst(_: int) -> None:
        with closing(Client(Address(host.address, "the flood"), "1.41")) as api:
            for _ in range(count // WRITERS):
                api.kill(name, signal="CONT")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(burst, range(WRITERS)))


@pytest.fixture
def host(throwaway_host: Callable[..., RigHost]) -> Iterator[RigHost]:
    made = throwaway_host()
    with made.inside():
        yield made


@pytest.mark.docker
@pytest.mark.parametrize(("listened", "missed"), [(400, 20), pytest.param(2000, 1200, marks=pytest.mark.slow)])
def test_store_and_engine_are_equal_after_whatever_happens(
    make_desk: Make, host: RigHost, listened: int, missed: int
) -> None:
    """An engine keeps 256 events for who comes back, and about 1,000 for who does not read."""
    image = host.busybox()
    services = "".join(WEB.format(name=name, image=image) for name in "abcd")
    desk = make_desk(f"llmstack: 1\nstack: watched\nservices:\n{services}", DOCKER_HOST=host.address)
    desk.good("up")
    with watching(desk) as watch:
        until(watch.is_equal)
        killed_engine(host, watch)
        flooded(host, watch, listened)
        stopped_watcher(host, watch, missed)
        frozen_host(host, watch)


def killed_engine(host: RigHost, watch: Watching) -> None:
    pid = host.api.inspect_container("llmstack-watched-a")["State"]["Pid"]
    host.kill_engine()
    host.run("kill", "-9", str(pid))
    host.start_engine()
    watch.tells("a", "died")


def flooded(host: RigHost, watch: Watching, count: int) -> None:
    flood(host, "llmstack-watched-b", count)
    host.api.kill("llmstack-watched-b")
    watch.tells("b", "stopped")


def stopped_watcher(host: RigHost, watch: Watching, count: int) -> None:
    os.kill(watch.process.pid, signal.SIGSTOP)
    flood(host, "llmstack-watched-c", count)
    host.api.remove_container("llmstack-watched-c", force=True)
    os.kill(watch.process.pid, signal.SIGCONT)
    watch.tells("c", "removed")


def frozen_host(host: RigHost, watch: Watching) -> None:
    host.pause()
    host.unpause()
    host.api.kill("llmstack-watched-d")
    watch.tells("d", "stopped")
    assert not [one for one in watch.told if one["type"] == "change" and one["name"] not in "abcd"]


def test_a_process_that_is_killed_while_the_watcher_is_stopped_is_told(make_desk: Make) -> None:
    desk = make_desk(PROCESS)
    desk.good("up")
    with watching(desk) as watch:
        until(watch.is_equal)
        os.kill(watch.process.pid, signal.SIGSTOP)
        (there,) = desk.engine.observe(None)
        assert there.pid
        os.kill(there.pid, signal.SIGKILL)
        until(lambda: not desk.engine.observe(None)[0].running)
        os.kill(watch.process.pid, signal.SIGCONT)
        watch.tells("a", "died")
