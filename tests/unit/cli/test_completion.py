"""What a shell can complete."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from llmstack.app import App
from llmstack.cli import known
from llmstack.cli.collection import VERBS
from llmstack.cli.complete import candidates
from llmstack.domain.event import Nobody
from llmstack.domain.selection import Settings
from tests.unit.cli import front

TASKS = {task.name: task for task in VERBS}
INVENTORY = """\
llmstack: 1
all:
  children:
    gpu: {hosts: {"gpu[01:02].lab": {}}}
services:
  ollama: {type: ollama, hosts: gpu, tags: [night]}
models:
  llama3: {service: ollama, source: "llama3:8b", aliases: [quick], tags: [chat]}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with an inventory, below which we are."""
    (tmp_path / "below").mkdir()
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("llmstack sta", ["status", "stats"]),
        ("llmstack up --lock", ["--lock-wait"]),
        ("llmstack inventory ex", ["explain"]),
        ("llmstack help e", ["exit-codes"]),
        ("llmstack up --no", ["--no-wait"]),
        ("llmstack --prog", ["--progress"]),
        ("llmstack up -o n", ["ndjson", "names", "names0"]),
        ("llmstack logs -o n", ["ndjson"]),
        ("llmstack up --output=nd", ["--output=ndjson"]),
        ("llmstack status --status cr", ["crashed"]),
        ("llmstack schema --kind s", ["status", "stats", "sync", "settings"]),
        ("llmstack up --model l", ["llama3"]),
        ("llmstack up -l g", ["gpu01.lab", "gpu02.lab", "gpu"]),
        ("llmstack up --host=gpu01", ["--host=gpu01.lab"]),
        ("llmstack up -l 'gpu:!", ["gpu:!gpu01.lab", "gpu:!gpu02.lab", "gpu:!all", "gpu:!gpu", "gpu:!ungrouped"]),
        ("llmstack up --limit=all,gpu:&gpu02", ["--limit=all,gpu:&gpu02.lab"]),
        ("llmstack up --tags night,c", ["night,chat"]),
        ("llmstack inventory.explain -n q", ["quick"]),
        ("llmstack inventory.explain q", ["quick"]),
        ("llmstack inventory.host gpu0", ["gpu01.lab", "gpu02.lab"]),
        ("llmstack schema ev", ["event"]),
        ("llmstack up -s ", ["ollama"]),
        ("llmstack up --tags ", ["chat", "night"]),
        ("llmstack up q", ["quick"]),
        ("llmstack up llama3 -m o", ["ollama"]),
        ("llmstack up llama3 hea", ["health"]),
        ("llmstack up --timeout ", []),
        ("llmstack up --nope x", []),
    ],
)
def test_what_fits_is_offered(here, line, words):
    assert candidates(line, TASKS) == words


def test_a_task_with_names_offers_both(here):
    assert {"llama3", "ollama", "down"} <= set(candidates("llmstack up ", TASKS))
    assert "llama3" not in candidates("llmstack ", TASKS)


def test_the_inventory_may_be_named(here, monkeypatch, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(INVENTORY.replace("llama3:", "mistral:", 1))
    assert candidates(f"llmstack up -i {other} -m m", TASKS) == ["mistral"]
    monkeypatch.setenv("LLMSTACK_INVENTORY", str(other))
    assert candidates("llmstack up -m m", TASKS) == ["mistral"]


def test_names_are_read_once_until_the_file_changes(here, monkeypatch):
    read = known._read
    reads = []
    monkeypatch.setattr(known, "_read", lambda file: reads.append(file) or read(file))
    for _ in range(2):
        assert candidates("llmstack up -m l", TASKS) == ["llama3"]
    assert len(reads) == 1
    (here / "inventory.yaml").write_text(INVENTORY.replace("llama3:", "llama33:", 1))
    assert candidates("llmstack up -m l", TASKS) == ["llama33"]


def test_runs_are_those_that_are_remembered(here, monkeypatch, tmp_path):
    assert candidates("llmstack history --run ", TASKS) == []
    with closing(App(Settings(), Nobody())) as app:
        for _ in range(2):
            app.store.begin_run("up", "llmstack up")
    assert candidates("llmstack history --run ", TASKS) == ["2", "1"]
    (tmp_path / "broken").write_text("no store")
    monkeypatch.setenv("LLMSTACK_STORE", str(tmp_path / "broken"))
    assert candidates("llmstack history --run ", TASKS) == []


def test_an_inventory_with_mistakes_keeps_the_names_it_had(here):
    assert candidates("llmstack up -m l", TASKS) == ["llama3"]
    (here / "inventory.yaml").write_text("llmstack: [")
    assert candidates("llmstack up -m l", TASKS) == ["llama3"]


@pytest.mark.parametrize("text", [None, "no inventory at all", "\0"])
def test_without_an_inventory_there_are_no_names(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "inventory.yaml").write_text(text)
    assert candidates("llmstack up -m ", TASKS) == []
    assert candidates("llmstack up -i nowhere.yaml -m ", TASKS) == []


def shell(program, here, script):
    """Run a script with `llmstack` on its PATH, in the folder `here`."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = subprocess.run(
        [program, *(["-f"] if program == "zsh" else ["--norc"]), "-c", script],
        cwd=here,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.stderr == ""
    return run.stdout.splitlines()


BASH = """
source <(llmstack --print-completion-script bash)
ask() {{
  COMP_LINE=$1 COMP_POINT=${{#1}} COMP_WORDS=("${{@:2}}") COMP_CWORD=$(($# - 2))
  _llmstack
  printf '%s\\n' "${{COMPREPLY[@]}}"
}}
{}
"""


def test_bash_completes_tasks_names_and_what_stands_behind_an_equals_sign(here):
    assert shell("bash", here, BASH.format("ask 'llmstack sy' llmstack sy")) == ["sync"]
    assert shell("bash", here, BASH.format("ask 'llmstack up --model ' llmstack up --model ''")) == [
        "llama3",
        "quick",
        "ollama",
    ]
    words = "llmstack up -l gpu : '!gpu02'"
    assert shell("bash", here, BASH.format(f"ask 'llmstack up -l gpu:!gpu02' {words}")) == ["!gpu02.lab"]
    words = "llmstack up --output = nd"
    assert shell("bash", here, BASH.format(f"ask 'llmstack up --output=nd' {words}")) == ["ndjson"]
    assert shell("bash", here, BASH.format("complete -p llmstack")) == ["complete -o default -F _llmstack llmstack"]


ZSH = """
compdef() {{ }}; compadd() {{ shift; print -l -- $@ }}; _files() {{ print files }}
source <(llmstack --print-completion-script zsh)
words=({}); CURRENT=$#words; _llmstack
"""


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
def test_zsh_completes_them_too(here):
    assert shell("zsh", here, ZSH.format("llmstack sy")) == ["sync"]
    assert shell("zsh", here, ZSH.format("llmstack up --model ''")) == ["llama3", "quick", "ollama"]
    assert shell("zsh", here, ZSH.format("llmstack up --output=nd")) == ["--output=ndjson"]
    assert shell("zsh", here, ZSH.format("llmstack up --inventory ''")) == ["files"]


def test_once_the_names_are_known_nothing_heavy_is_loaded(here):
    line = "llmstack up --model "
    assert candidates(line, TASKS) == ["llama3", "quick", "ollama"]
    code = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr));"
    code += "from llmstack.cli.program import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code, "--complete", "--", line],
        env={**os.environ, "PYTHONPATH": str(front.ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.split() == ["llama3", "quick", "ollama"]
    assert {"rich", "llmstack.app", "llmstack.inventory"} & set(run.stderr.split()) == set()
