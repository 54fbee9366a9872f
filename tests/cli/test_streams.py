"""Data on stdout, talk on stderr; chains, pipes and other programs around real commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.desk import DEADLINE_S, Desk, Ran
from tests.servers.ollama_replay import Replay

Look = Callable[..., Ran]
ALL_OK = "localhost : ok=3 changed=0 unreachable=0 failed=0 unhealthy=0 skipped=0"


def pipe(desk: Desk, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash on a desk, where both doors are on the PATH."""
    path = f"{desk.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/bash", "-c", line],
        cwd=desk.folder,
        env={**desk.env, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


def test_a_second_up_changes_nothing_and_says_so_on_stderr(look: Look) -> None:
    ran = look("up", "--model", "llama3", "--model", "mistral")
    assert (ran.code, ran.out, ran.recap) == (0, "", ALL_OK)


@pytest.mark.parametrize("task", ["up", "status", "sync"])
def test_json_is_one_document_and_the_talk_is_elsewhere(started: Desk, task: str) -> None:
    ran = started.run(task, "-o", "json")
    assert ran.code == ran.json["rc"] == 0
    assert ran.json["errors"] == []


def test_names_are_names(look: Look) -> None:
    assert look("status", "-o", "names").out == "llama3@localhost\nmistral@localhost\n"


def test_names_stay_clean_when_the_run_fails(theirs: Desk) -> None:
    ran = theirs.run("pull", "-o", "names")
    assert ran.code == 10
    assert set(ran.out.split()) == {"near@localhost", "crash@localhost", "nosuch@localhost"}
    assert "file does not exist" in ran.err


def test_json_stays_clean_when_the_run_fails(theirs: Desk) -> None:
    ran = theirs.run("pull", "-o", "json")
    assert ran.json["rc"] == ran.code == 10
    assert ran.item("nosuch")["error"]["class"] == "fetch"


def test_tasks_are_chained_and_a_task_typed_twice_runs_twice(look: Look) -> None:
    ran = look("up", "-m", "llama3", "health", "-m", "llama3", "up", "-m", "llama3")
    assert ran.code == 0
    assert [line.partition(":")[0].strip() for line in ran.err.splitlines() if " : ok=" in line] == ["localhost"] * 3
    assert "✓ answered" in ran.out


def test_a_chain_ends_with_the_first_failure(theirs: Desk, door: str) -> None:
    ran = theirs.run("health", "-m", "nosuch", "status", "-o", "names", door=door)
    assert ran.code == 6
    assert "nosuch@localhost" not in ran.out.splitlines()


def test_help_runs_nothing(make_desk: Callable[..., Desk], door: str) -> None:
    desk = make_desk("this is no inventory")
    assert "--inventory" in desk.good("up", "--help", door=door).out
    assert not Path(desk.env["LLMSTACK_STORE"]).exists()


def test_a_question_from_a_pipe_is_answered_on_stdout(theirs: Desk, far: Replay, door: str) -> None:
    ran = theirs.run("ask", "--model", "near", door=door, stdin="hello\n")
    assert ran.code == 0
    assert ran.out.strip()
    assert "tokens/s" in ran.err
    assert "tokens/s" not in ran.out
    asked = next(body for method, path, body in far.requests if path == "/api/chat")
    assert asked["messages"][-1]["content"] == "hello\n"


def test_an_answer_is_written_as_it_comes(theirs: Desk, far: Replay, door: str) -> None:
    far.state.keep("endless:1b", there=True)
    theirs.write((theirs.folder / "inventory.yaml").read_text(encoding="utf-8").replace("near:1b", "endless:1b"))
    with theirs.start("ask", "-m", "near", "--prompt", "hello", door=door) as process:
        assert process.stdout is not None
        assert process.stdout.read(20)  # the answer has no end, so it did not wait for it
        os.killpg(process.pid, 2)
        assert process.wait(DEADLINE_S) == 130


def test_a_reader_that_has_enough_ends_status_quietly(started: Desk, door: str) -> None:
    ran = pipe(started, f"{door} status -o json | head -1; echo ${{PIPESTATUS[0]}}")
    first, code = ran.stdout.splitlines()
    assert first == "{"
    assert code in ("0", "141")
    assert ran.stderr == ""


def test_json_goes_through_jq(started: Desk) -> None:
    if shutil.which("jq"):
        ran = pipe(started, "set -o pipefail; invoke status -o json | jq -r '.items[].model'")
    else:
        code = "import json, sys; print(*(item['model'] for item in json.load(sys.stdin)['items']), sep='\\n')"
        ran = pipe(started, f'set -o pipefail; invoke status -o json | {sys.executable} -c "{code}"')
    assert (ran.returncode, ran.stdout) == (0, "llama3\nmistral\n")


def test_names_of_one_command_feed_another(started: Desk) -> None:
    ran = pipe(started, "invoke status -o names | llmstack health - -o names")
    assert (ran.returncode, ran.stdout) == (0, "llama3@localhost\nmistral@localhost\n")


def test_a_makefile_can_depend_on_the_exit_code(started: Desk) -> None:
    makefile = "served:\n\t@{0} up -q -m llama3 health -q -o names -m {1}\n\nsmoke: served\n\t@echo goes on\n"
    started.write(makefile.format("invoke", "llama3"), "good.mk")
    started.write(makefile.format("llmstack", "lama3"), "bad.mk")
    good, bad = pipe(started, "make -f good.mk smoke"), pipe(started, "make -f bad.mk smoke")
    assert (good.returncode, good.stdout) == (0, "llama3@localhost\ngoes on\n")
    assert bad.returncode == 2
    assert "Error 5" in bad.stderr
    assert "goes on" not in bad.stdout


def test_health_and_status_write_nothing_to_the_engine(started: Desk) -> None:
    def written() -> dict[str, tuple[float, bytes]]:
        files = [path for path in started.processes_root.rglob("*") if path.is_file() and path.name != "log"]
        return {str(path): (path.stat().st_mtime, path.read_bytes()) for path in files}

    before = written()
    started.good("up", "health", "status", "sync")
    assert written() == before


def test_a_run_is_remembered_with_what_was_typed(started: Desk) -> None:
    started.good("health", "-m", "mistral")
    import sqlite3

    with sqlite3.connect(started.env["LLMSTACK_STORE"]) as store:
        (command,) = store.execute("select command from runs order by rowid desc limit 1").fetchone()
    store.close()
    assert command == "llmstack health --model mistral"


def test_json_of_health_shows_each_rung_with_its_time(started: Desk) -> None:
    ran = started.run("health", "-m", "llama3", "--deep", "-o", "json")
    rungs = ran.rungs("llama3")
    assert list(rungs) == ["created", "running", "port", "api", "weights", "loaded", "answered", "device"]
    assert all(rung["ok"] in (True, None) and rung["ms"] >= 0 for rung in rungs.values())
    assert rungs["answered"]["tokens_per_s"] > 0
