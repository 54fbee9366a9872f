"""The programs in examples/ and the text of docs/api.md do on a real engine what they say, and leave out nothing."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import llmstack
from llmstack import DockerManager, ModelManager, OllamaClient, Stack
from tests.desk import ROOT, free_port
from tests.rig.host import RigHost

EXAMPLES = {
    Stack: "stack.py",
    DockerManager: "docker_manager.py",
    ModelManager: "model_manager.py",
    OllamaClient: "ollama_client.py",
}
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)
BESIDE = {"close"}
"""Called by `with`."""


def methods(cls: type) -> set[str]:
    """The public methods of a class."""
    return {name for name, _ in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")} - BESIDE


@pytest.fixture
def desk(in_rig: RigHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with an inventory of an Ollama that runs on the default engine; the store is one of its own."""
    monkeypatch.setenv("DOCKER_HOST", in_rig.address)
    monkeypatch.setenv("LLMSTACK_STORE", str(tmp_path / "store.db"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory.yaml").write_text(f"""\
llmstack: 1
stack: demo
services:
  ollama: {{type: ollama, image: "{in_rig.ollama_replay()}", port: {free_port()}}}
  web:
    type: container
    image: "{in_rig.busybox()}"
    port: {free_port()}
    options: {{container_port: 80}}
    args: [httpd, -f, -p, "80"]
models:
  demo: {{service: ollama, source: "demo:1b"}}
  llama3: {{service: ollama, source: "llama3:8b"}}
""")
    with Stack() as stack:
        assert stack.up().exit_code == 0
        yield tmp_path
        stack.down()


def example(name: str, *arguments: str) -> str:
    """What an example prints; it must end well and keep its errors to itself."""
    argv = [sys.executable, str(ROOT / "examples" / name), *arguments]
    run = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120, env=os.environ)
    assert (run.returncode, run.stderr) == (0, ""), run
    return run.stdout


@pytest.mark.parametrize("cls", EXAMPLES, ids=lambda cls: cls.__name__)
def test_the_example_of_a_class_uses_every_method_and_the_docs_name_it(cls: type) -> None:
    text = (ROOT / "examples" / EXAMPLES[cls]).read_text()
    docs = (ROOT / "docs" / "api.md").read_text()
    assert methods(cls)
    assert {name for name in methods(cls) if f".{name}(" not in text} == set()
    assert {name for name in methods(cls) if f"`{name}" not in docs} == set()
    assert f"../examples/{EXAMPLES[cls]}" in docs


def test_every_class_that_is_exported_has_an_example() -> None:
    assert {cls.__name__ for cls in EXAMPLES} == set(llmstack.__all__) - {"__version__"}


@pytest.mark.docker
@pytest.mark.usefixtures("desk")
def test_the_snippets_of_the_docs_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(SNIPPETS) == len(EXAMPLES)
    for snippet in SNIPPETS:
        exec(compile(snippet, "docs/api.md", "exec"), {})
        assert capsys.readouterr().out.strip()


@pytest.mark.docker
@pytest.mark.usefixtures("desk")
def test_the_examples_run() -> None:
    told = example("stack.py")
    assert re.search(r"^keep ollama@localhost: ", told, re.MULTILINE)
    assert re.search(r"^demo@localhost healthy: True$", told, re.MULTILINE)
    assert re.search(r"^run \d+: up by ", told, re.MULTILINE)

    told = example("docker_manager.py", "web")
    assert re.search(r"^llmstack-demo-web ready .* http://127\.0\.0\.1:", told, re.MULTILINE)
    assert re.search(r"^  running \d+ ms", told, re.MULTILINE)
    assert told.endswith("healthy: True\n")

    told = example("model_manager.py")
    assert re.search(r"^demo .* http://127\.0\.0\.1:", told, re.MULTILINE)
    assert "4 models known, manager.delete_model(*key)=True" in told

    told = example("ollama_client.py", "small:1b", "ollama")
    assert re.search(r"^small:1b \w+ \d+ bytes, loaded: ", told, re.MULTILINE)
    with OllamaClient() as client:
        assert client.get_model_version("small:1b", "ollama") is None


@pytest.mark.docker
@pytest.mark.usefixtures("desk")
def test_one_object_serves_several_threads(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[Callable[[], object]] = []
    with Stack() as stack, DockerManager() as manager, ModelManager(docker=manager) as models:
        calls += [lambda: [row.state for row in stack.status().rows], lambda: len(stack.plan().actions)]
        calls += [lambda: list(manager.get_stack_status()), lambda: manager.validate_container_health("web").ok]
        calls += [lambda: [row.name for row in models.get_models()], models.sync_with_docker]
        alone = [call() for call in calls]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda call: call(), calls * 8))
    assert together == alone * 8
    assert capsys.readouterr() == ("", "")


@pytest.mark.docker
@pytest.mark.usefixtures("desk")
def test_an_example_that_meets_a_mistake_says_what_to_do() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "docker_manager.py"), "olama"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 1
    known = "llmstack-demo-ollama, llmstack-demo-web"
    assert run.stderr == f"no container 'olama' on localhost\ncontainers of llmstack: {known}\n"
