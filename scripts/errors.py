"""Write the page of typical mistakes: each one is made in a folder of its own, with the real command.

python scripts/errors.py docs/errors.md
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO

from llmstack.cli.program import NAME, main

FOLDER = "/lab"
"""What the page calls the folder of every mistake."""

COSTLY = ("llmstack.app", "llmstack.ui.live", "llmstack.inventory.loader", "docker", "peewee", "requests")
"""What most commands import."""

GOOD = """\
llmstack: 1
services:
  ollama: {type: ollama, engine: process}
models:
  llama3: {service: ollama, source: "llama3:8b"}
  mistral: {service: ollama, source: "mistral:7b"}
"""
DOCKER = "llmstack: 1\nservices:\n  web: {type: container, image: busybox}\n"
HEAD = """\
# Typical mistakes and what llmstack says

Written by `make errors`, which makes each of them with the real command: what is wrong, where, and what to do next.
Nothing was changed by any. [All exit codes](exit-codes.md). With `-o json` the same stands in `errors`, and places in
an inventory in its `problems`.
"""


@dataclass(frozen=True)
class Mistake:
    """A line that somebody types. `inventory` is shown where the mistake is in it; `env` is typed before the line,
    `files` are there besides; `forbidden` is a file that the user has no right to."""

    title: str
    line: str
    inventory: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=lambda: {"inventory.yaml": GOOD})
    forbidden: str | None = None


def written(title: str, inventory: str, line: str = "llmstack status") -> Mistake:
    """A mistake in an inventory."""
    return Mistake(title, line, inventory=inventory, files={"inventory.yaml": inventory})


def wrong(title: str, line: str, inventory: str = GOOD, **env: str) -> Mistake:
    """A mistake of what is around a sound inventory."""
    return Mistake(title, line, env=env, files={"inventory.yaml": inventory})


TYPED = (
    Mistake("A task misspelt", "llmstack ups"),
    Mistake("Another program's word for a task", "llmstack ps"),
    Mistake("A flag misspelt", "llmstack up --modle llama3"),
    Mistake("Another program's flag", "llmstack up --dry-run"),
    Mistake("A flag before its task", "llmstack --check up"),
    Mistake("A value forgotten", "llmstack up --model"),
    Mistake("A value forgotten, and a flag after it", "llmstack up --model --check"),
    Mistake("A model misspelt", "llmstack up lama3"),
    Mistake("A host where a model belongs", "llmstack up localhost"),
    Mistake("A host that is not in the inventory", "llmstack up --host locahost"),
    Mistake("A tag that nothing has", "llmstack up --tags chat"),
    Mistake("A format that there is not", "llmstack status -o jsn"),
    Mistake("A number that is none", "llmstack up --forks many"),
    Mistake("A duration that is none", "llmstack up --timeout soon"),
    Mistake("A flag given twice", "llmstack up --timeout 5m --timeout 10m"),
    Mistake("A value for a switch", "llmstack up --check=yes"),
    Mistake("A question for nobody", "llmstack ask --prompt hello"),
    Mistake("A question that is empty", "llmstack ask llama3"),
    Mistake("Everything, where that would be too much", "llmstack rm"),
    Mistake("A model in a server that does not run", "llmstack rm llama3"),
    Mistake("Plain Invoke: a task misspelt (Invoke's own words)", "invoke ups"),
    Mistake("Plain Invoke: a value forgotten", "invoke up --model"),
)
WRITTEN = (
    written("A tab", "llmstack: 1\nmodels:\n\tllama3: {type: ollama}\n"),
    written("A line too far left", "llmstack: 1\nmodels:\n  llama3:\n    type: ollama\n   source: llama3:8b\n"),
    written("A line too far right", "llmstack: 1\nmodels:\n  llama3:\n    type: ollama\n      source: llama3:8b\n"),
    written("Keys beside their model, not below it", "llmstack: 1\nmodels:\n  llama3:\n  type: ollama\n"),
    written("A model outside `models:`", "llmstack: 1\nmodels:\nllama3:\n  type: ollama\n"),
    written("No blank after a colon", "llmstack: 1\nmodels:\n  llama3:\n    type:ollama\n"),
    written("A list where names belong", "llmstack: 1\nmodels:\n  - llama3:\n      type: ollama\n"),
    written("A quote that is not closed", 'llmstack: 1\nmodels:\n  llama3: {type: ollama, source: "llama3:8b}\n'),
    written("The first line forgotten", "models:\n  llama3: {type: ollama, source: llama3}\n"),
    written("A key misspelt", "llmstack: 1\nservices:\n  ollama: {type: ollama, prot: 11434}\n"),
    written("Another program's word for a key", "llmstack: 1\nservices:\n  web: {type: container, volumes: []}\n"),
    written("A key twice", "llmstack: 1\nmodels:\n  llama3: {type: ollama}\n  llama3: {type: ollama}\n"),
    written("A value of the wrong kind", "llmstack: 1\nservices:\n  ollama: {type: ollama, port: eleven}\n"),
    written("Text for a list", "llmstack: 1\nservices:\n  web: {type: container, image: x, depends_on: ollama}\n"),
    written("A size without its unit", "llmstack: 1\nservices:\n  o: {type: ollama, resources: {memory: 8}}\n"),
    written("No type", "llmstack: 1\nmodels:\n  llama3: {source: llama3}\n"),
    written("A type misspelt", "llmstack: 1\nmodels:\n  llama3: {type: olama, source: llama3}\n"),
    written("A service that is not defined", "llmstack: 1\nmodels:\n  llama3: {service: ollama, source: llama3}\n"),
    written("A host that is not defined", "llmstack: 1\nservices:\n  ollama: {type: ollama, hosts: gpu01}\n"),
    written("A name that is taken by a task", "llmstack: 1\nmodels:\n  up: {type: ollama, source: llama3}\n"),
    written("One port, two services", "llmstack: 1\nservices:\n  a: {type: ollama}\n  b: {type: ollama}\n"),
    written("An option that the type has not", "llmstack: 1\nservices:\n  o: {type: ollama, options: {parallel: 2}}\n"),
    written("Jinja", 'llmstack: 1\nmodels:\n  llama3: {type: ollama, source: "{{ model }}"}\n'),
    written("Jinja without quotes", "llmstack: 1\nmodels:\n  llama3: {type: ollama, source: {{ model }}}\n"),
    written("A variable that nothing sets", 'llmstack: 1\nmodels:\n  m: {type: ollama, source: "m:${size}"}\n'),
    written("A plugin that is not there", "llmstack: 1\nplugins: [plugins/speed.py]\n"),
    written(
        "Services on one engine under two names",
        "llmstack: 1\nall:\n  hosts:\n    localhost:\n    box: {ansible_connection: local}\n"
        "services:\n  ollama: {type: ollama, hosts: all}\n",
    ),
    written(
        "Several at once",
        "llmstack: 1\nservices:\n  ollama: {typ: ollama}\nmodels:\n  llama3: {service: olama}\n",
    ),
)
AROUND = (
    Mistake("No inventory", "llmstack up", files={}),
    Mistake("Two inventories", "llmstack up", files={"inventory.yaml": GOOD, "inventory.yml": GOOD}),
    Mistake("YAML and JSON, both there", "llmstack up", files={"inventory.yaml": GOOD, "inventory.json": "{}"}),
    wrong("An inventory that is not there", "llmstack up --inventory lab.yaml"),
    Mistake(
        "An inventory in INI",
        "llmstack up --inventory hosts.ini",
        files={"hosts.ini": "[gpu]\ngpu01 ansible_host=10.0.0.1\n"},
    ),
    wrong("A value for a variable that nothing reads", "llmstack up -e port=9000"),
    wrong("A variable that cannot be", "llmstack status", LLMSTACK_FORKS="many"),
    Mistake("A variable of ours misspelt", "llmstack up", env={"LLMSTACK_INVENTRY": "lab.yaml"}, files={}),
    Mistake(
        "No right to the Docker socket",
        "llmstack up",
        env={"DOCKER_HOST": f"unix://{FOLDER}/docker.sock"},
        files={"inventory.yaml": DOCKER},
        forbidden="docker.sock",
    ),
    wrong("No Docker engine", "llmstack up", DOCKER, DOCKER_HOST=f"unix://{FOLDER}/docker.sock"),
    wrong("A program that is not installed", "llmstack up", GOOD.partition("models:")[0]),
    wrong(
        "A model file that is not there",
        "llmstack up",
        "llmstack: 1\nmodels:\n  m: {type: llamacpp, engine: process, source: 'file:m.gguf'}\n",
    ),
    wrong(
        "Nobody answers at a URL",
        "llmstack up",
        "llmstack: 1\nservices:\n  far: {type: ollama, url: 'http://127.0.0.1:9'}\n",
    ),
    wrong("A question for what does not run", "llmstack ask llama3 'Are you there?'"),
    wrong("A log of what was never started", "llmstack logs llama3"),
    Mistake(
        "A store that is none",
        "llmstack history",
        env={"LLMSTACK_STORE": f"{FOLDER}/notes.txt"},
        files={"inventory.yaml": GOOD, "notes.txt": "buy milk\n" * 99},
    ),
)
SECTIONS = {"On the command line": TYPED, "In the inventory": WRITTEN, "Around them": AROUND}


def page() -> str:
    """The whole page."""
    parts = [[f"## {title}\n", *map(_entry, mistakes)] for title, mistakes in SECTIONS.items()]
    return "\n".join([HEAD, *(part for entries in parts for part in entries)])


def _entry(mistake: Mistake) -> str:
    said, code = _made(mistake)
    told = f"```yaml\n{mistake.inventory}```\n\n" if mistake.inventory else ""
    env = "".join(f"{name}={value} " for name, value in mistake.env.items())
    return f"### {mistake.title}\n\n{told}```\n$ {env}{mistake.line}\n{said}```\n\nExit code {code}.\n"


def _made(mistake: Mistake) -> tuple[str, int]:
    """What the command said, on a machine where nothing else is set or installed, and its exit code."""
    with tempfile.TemporaryDirectory(prefix="llmstack-errors-") as room, tempfile.TemporaryFile() as said:
        folder = Path(room, "lab")
        folder.mkdir()
        tasks = {"tasks.py": "from llmstack.cli.collection import namespace\n\nns = namespace()\n"}
        for name, text in {**tasks, **mistake.files}.items():
            (folder / name).write_text(text, encoding="utf-8")
        env = {name: value.replace(FOLDER, str(folder)) for name, value in mistake.env.items()}
        code = _command(mistake, folder, dict(_environ(room)) | env, said)
        said.seek(0)
        return _plain(said.read().decode(), folder), code


def _command(mistake: Mistake, folder: Path, env: Mapping[str, str], said: IO[bytes]) -> int:
    """Run the line in a process of its own; ours need not be imported again for it. Returns the exit code."""
    words = shlex.split(mistake.line)
    before = _without_rights(mistake, folder)
    if before or words[0] != NAME:
        words[0] = str(Path(sys.executable).parent / words[0])
        quiet = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": said}
        return subprocess.run([*before, *words], cwd=folder, env=env, check=False, **quiet).returncode
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for target, source in enumerate((os.open(os.devnull, os.O_RDONLY), said.fileno(), said.fileno())):
        os.dup2(source, target)
    code = 70
    try:
        main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def _environ(room: str) -> Iterator[tuple[str, str]]:
    yield "PATH", f"{room}/bin:/usr/bin:/bin"
    yield "HOME", room
    yield "LANG", "C.UTF-8"
    yield "LLMSTACK_STORE", f"{room}/store.db"
    yield "LLMSTACK_PROCESS_ROOT", f"{room}/processes"


def _without_rights(mistake: Mistake, folder: Path) -> list[str]:
    """What stands before a command that may not open a socket: root has to give up a right that others do not have."""
    if not mistake.forbidden:
        return []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / mistake.forbidden))
    (folder / mistake.forbidden).chmod(0)
    return ["setpriv", "--bounding-set=-dac_override"] if os.getuid() == 0 else ["env"]


def _plain(text: str, folder: Path) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"[0-9.]+ s$", "0.1 s", text.replace(str(folder), FOLDER), flags=re.MULTILINE)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


if __name__ == "__main__":
    for module in COSTLY:
        import_module(module)
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
