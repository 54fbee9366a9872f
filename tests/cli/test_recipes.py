"""Every snippet of docs/recipes.md, as it stands there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.cli.conftest import OURS
from tests.desk import DEADLINE_S, ROOT, Desk
from tests.integration.ansible import peer

BOTH = {"llama3@localhost", "mistral@localhost"}
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
JOB = re.compile(r"(?:(?:\*|\d+)(?:/\d+)? +){5}(?P<command>.+)")


class Block(NamedTuple):
    """A fenced block; one with a file's `name` is that file."""

    language: str
    name: str
    text: str


BLOCKS = [Block(*found) for found in FENCE.findall((ROOT / "docs" / "recipes.md").read_text(encoding="utf-8"))]
LINES = [block.text for block in BLOCKS if not block.name]
FILES = {block.name: block.text for block in BLOCKS if block.name}


def snippet(word: str) -> str:
    """The one snippet with this word in it."""
    (found,) = [text for text in LINES if word in text]
    return found


class Place(NamedTuple):
    """Where the snippets are run."""

    desk: Desk

    def bash(self, line: str, shell: str = "/bin/bash -o pipefail", **env: str) -> str:
        """What a snippet that must succeed prints; with no other variables where `env` says what they are."""
        path = f"{Path(sys.executable).parent}:{self.desk.env['PATH']}"
        ran = subprocess.run(
            [*shell.split(), "-c", line.replace("/srv/llm", str(self.desk.folder))],
            cwd=self.desk.folder, env=env or {**self.desk.env, "PATH": path}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr + ran.stdout
        return ran.stdout

    def ready(self) -> set[str]:
        """The names of what is ready."""
        return set(self.desk.good("status", "-o", "names", "--status", "ready").out.split())

    def crash(self) -> None:
        """Let every server die."""
        for process in self.desk.servers():
            process.kill()
        assert "crashed" in self.desk.good("status").out


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if missing := [name for name in ("jq", "curl", "make") if not shutil.which(name)]:
        pytest.skip(f"not installed: {' '.join(missing)}")
    desk = Desk(tmp_path_factory.mktemp("recipes"), OURS.replace("engine: process", 'engine: process, restart: "no"'))
    for name, text in FILES.items():
        path = desk.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("/srv/llm", str(desk.folder)), encoding="utf-8")
    try:
        desk.good("up")
        yield Place(desk)
    finally:
        desk.close()


def test_no_snippet_is_left_out() -> None:
    words = re.findall(r'snippet\("([^"]+)"\)', Path(__file__).read_text(encoding="utf-8"))
    assert {snippet(word) for word in words} == set(LINES)
    assert set(FILES) == {"Makefile", "crontab", ".github/workflows/models.yml", ".envrc", "stack.sh", "models.yml"}


def test_what_would_change_is_changed(place: Place) -> None:
    place.desk.good("down")
    place.bash(snippet("--exit-code"))
    assert place.ready() == BOTH
    place.bash(snippet("--exit-code"))


def test_what_crashed_is_started_and_asked(place: Place) -> None:
    assert place.bash(snippet("--status crashed")) == ""
    place.crash()
    assert "✓ answered" in place.bash(snippet("--status crashed"))
    assert place.ready() == BOTH


def test_what_a_file_names_is_fetched_and_started(place: Place) -> None:
    place.desk.good("rm", "llama3", "mistral", "--yes")
    assert set(place.bash(snippet("models.txt")).split()) == BOTH
    assert place.bash(snippet("models.txt")) == ""


def test_each_is_asked_by_xargs(place: Place) -> None:
    assert len(place.bash(snippet("xargs")).splitlines()) >= 2


def test_files_are_answered(place: Place) -> None:
    place.bash(snippet("questions/"))
    assert (place.desk.folder / "questions" / "sky.answer").read_text(encoding="utf-8").strip()


def test_a_program_is_pointed_at_a_model(place: Place) -> None:
    assert "llama3:8b" in place.bash(snippet("/v1/models")).split()


def test_each_code_has_its_branch(place: Place) -> None:
    assert place.bash(snippet("case $?")) == "it answers\n"
    place.crash()
    assert "GET" in place.bash(snippet("case $?"))
    place.desk.good("up")


def test_make_makes_what_a_model_answers(place: Place) -> None:
    place.bash(snippet("make notes.summary"))
    summary = place.desk.folder / "notes.summary"
    assert summary.read_text(encoding="utf-8").strip()
    made = summary.stat().st_mtime_ns
    place.bash("make notes.summary")
    assert summary.stat().st_mtime_ns == made


def test_cron_needs_no_more_than_the_crontab_says(place: Place) -> None:
    rows = [row for row in FILES["crontab"].splitlines() if row and not row.startswith("#")]
    told = dict(row.split("=", 1) for row in rows if re.match(r"[A-Z_]+=", row))
    jobs = [JOB.fullmatch(row) for row in rows[len(told) :]]
    env = {name: value.replace("/srv/llm", str(place.desk.folder)) for name, value in told.items()}
    home = {name: place.desk.env[name] for name in ("HOME", "LLMSTACK_STORE", "LLMSTACK_PROCESS_ROOT")}
    path = f"{Path(sys.executable).parent}:{place.desk.folder / 'bin'}:{env['PATH']}"
    for job in jobs:
        assert job
        assert place.bash(job["command"], "/bin/sh", **env | home | {"PATH": path}, SHELL="/bin/sh", LOGNAME="x") == ""


def test_a_workflow_changes_what_it_shows(place: Place) -> None:
    workflow = yaml.safe_load(FILES[".github/workflows/models.yml"])
    assert workflow[True].keys() == {"pull_request", "push"}  # to YAML 1.1, `on` is true
    place.desk.good("down")
    runs = [step["run"] for step in workflow["jobs"]["models"]["steps"] if "run" in step]
    for run in runs:
        place.bash(f"set -e; export CI=true GITHUB_STEP_SUMMARY=summary.md\n{run}")
    assert "create" in (place.desk.folder / "summary.md").read_text(encoding="utf-8")
    health = json.loads((place.desk.folder / "health.json").read_text(encoding="utf-8"))
    assert (health["task"], health["rc"]) == ("health", 0)


def test_direnv_knows_the_model(place: Place) -> None:
    told = place.bash('set -eu; . ./.envrc; echo "$OPENAI_BASE_URL"; curl -fsS "$OPENAI_BASE_URL/models"')
    assert told.splitlines()[0] == f"http://127.0.0.1:{place.desk.port}/v1"
    assert "llama3:8b" in told


def test_ansible_asks_us_for_hosts_and_is_told_what_changed(place: Place) -> None:
    ansible = f'export ANSIBLE_LOCALHOST_WARNING=0 PATH="$PATH:{peer.environment()}"\n'
    assert "--localhost" in place.bash(ansible + snippet("ansible-inventory"))
    place.desk.good("down")
    assert "changed=1" in place.bash(ansible + snippet("ansible-playbook"))
    assert "changed=0" in place.bash(ansible + snippet("ansible-playbook"))
