"""Every example of docs/api.md runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmstack import Stack
from tests.desk import ROOT, free_port
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)


def test_every_example_runs_and_prints_something(
    in_rig: RigHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(EXAMPLES) == 4
    monkeypatch.setenv("DOCKER_HOST", in_rig.address)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory.yaml").write_text(f"""\
llmstack: 1
stack: demo
services:
  ollama: {{type: ollama, image: "{in_rig.ollama_replay()}", port: {free_port()}}}
models:
  demo: {{service: ollama, source: "demo:1b"}}
  llama3: {{service: ollama, source: "llama3:8b"}}
""")
    with Stack() as stack:
        assert stack.up().exit_code == 0
        for example in EXAMPLES:
            exec(compile(example, "docs/api.md", "exec"), {})
            assert capsys.readouterr().out.strip()
        stack.down()
