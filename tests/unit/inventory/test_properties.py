"""Whatever stands in the files, the environment and on the command line: it loads, or its mistakes are told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from llmstack.core.desired import desire, mistakes_of_types_too
from llmstack.errors import ConfigError, InventoryError
from llmstack.inventory import Explainer
from llmstack.modeltype.registry import Registry
from llmstack.ui.inventory import as_ansible, graph_lines, host_lines, host_rows, setting_lines
from llmstack.ui.problems import error_lines
from tests.unit.inventory.test_hosts import TREE
from tests.unit.inventory.test_load import LAB
from tests.unit.inventory.test_variables import MODELS, OVER, WEB

some = settings(
    max_examples=100, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)

UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What could move the cursor, end a line, or turn the text around."""

SCRAPS = [
    *"{}[]:,-#'\"|>?@`\\~é\u2028\ud7ff\n\t\0\x07\x1b ",
    "  ",
    ": ",
    "- ",
    "<<: ",
    "? ",
    "---\n",
    "...\n",
    "&a",
    "*a",
]
SCRAPS += ["%YAML 1.1\n", "\\x", "!x", "!!", "<<", "${", "${x}", "$${", "{{", "null", "true", "no", "1e999", "-1", "0"]
SCRAPS += ["99999999999", "[1:9]", "[a:c]", "all", "gpu", "localhost", "auto", "host", "from:", "models:", "services:"]
SCRAPS += ["service:", "{from: env}", "{from: file, path: /}", "{from:", "!vault x", "overrides:", "\x1b[2J", "../../x"]

NAMES = [
    "web",
    "ollama",
    "gpu",
    "m",
    "localhost",
    "h1",
    "h[1:3]",
    "all",
    "gpu:!h1",
    "~h",
    "*",
    "x",
    "up",
    "../x",
    "\x1b[2J",
]
KEYS = ["llmstack", "stack", "all", "defaults", "services", "models", "x-a", "hosts", "children", "vars", "overrides"]
KEYS += ["type", "engine", "image", "port", "bind", "url", "env", "args", "mounts", "resources", "restart", "options"]
KEYS += [
    "depends_on",
    "enabled",
    "adopt",
    "update",
    "tags",
    "service",
    "source",
    "aliases",
    "from",
    "name",
    "path",
    "argv",
]
KEYS += [
    "memory",
    "gpus",
    "serial",
    "container",
    "ansible_host",
    "ansible_port",
    "docker_host",
    "ansible_group_priority",
]
WORDS = [
    "container",
    "docker",
    "8GiB",
    "auto",
    "lan",
    "hf:a/b",
    "./a:/b",
    "${x}",
    "${env:Y}",
    "{{ x }}",
    "env",
    "",
    "a\nb",
]

scalars = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(NAMES),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
)
keys = st.one_of(st.sampled_from(KEYS), st.sampled_from(NAMES), st.text(max_size=4))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)
text = st.sampled_from(WORDS)
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["container", "ollama", "llamacpp"]),
    "engine": st.sampled_from(["docker", "process"]),
    "hosts": st.sampled_from(["localhost", "all", "gpu", "h1", "gpu:!h1", "~h", "h*"]),
    "port": st.integers(1, 65535) | st.just("auto"),
    "env": st.dictionaries(st.sampled_from(["A", "B"]), text | st.just({"from": "env", "name": "Y"})),
    "args": st.lists(text, max_size=3),
    "mounts": st.lists(st.sampled_from(["/a:/b", "v:/b:ro"]), max_size=2),
    "resources": st.fixed_dictionaries({}, optional={"memory": st.just("8GiB"), "gpus": st.integers(0, 4)}),
    "depends_on": st.lists(st.sampled_from(["web", "ollama", "m"]), max_size=2),
    "enabled": st.booleans(),
    "url": st.just("http://127.0.0.1:1"),
    "service": st.just("ollama"),
    "source": text,
    "aliases": st.lists(st.sampled_from(["x", "y"]), max_size=1),
    "options": st.dictionaries(st.sampled_from(["ctx_size", "keep_alive"]), scalars, max_size=1),
    "update": st.fixed_dictionaries({}, optional={"serial": st.integers(1, 9), "max_fail": st.integers(0, 9)}),
}
rightly = st.fixed_dictionaries({}, optional=RIGHT)
entry = st.one_of(rightly, rightly, rightly, st.dictionaries(st.sampled_from(KEYS[11:]), values, max_size=6))
entries = st.dictionaries(st.sampled_from(["web", "ollama", "m", *NAMES]), st.one_of(entry, entry, values), max_size=3)
tree = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
    lambda inner: st.fixed_dictionaries({}, optional={"hosts": inner, "children": inner, "vars": inner | entries}),
    max_leaves=8,
)
documents = st.fixed_dictionaries(
    {"llmstack": st.just(1)},
    optional={
        "stack": scalars,
        "all": tree | values,
        "defaults": entries,
        "services": entries,
        "models": entries,
        "gpu": tree,
    },
)
mutations = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(0, 20), st.sampled_from(SCRAPS) | st.text(max_size=5)), max_size=4
)
extras = st.lists(
    st.builds("{}={}".format, st.sampled_from([*NAMES, "web.port", "services.web.env.A", "overrides"]), scalars),
    max_size=3,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("any")
    set_hypothesis_home_dir(found / "hypothesis")
    return found


@pytest.fixture
def tell(folder: Path) -> Iterator[Callable[..., bool]]:
    """Load what was written, and show all of it or its mistakes; whether it could be loaded."""

    def tell(*extra: str, **files: str | bytes) -> bool:
        for name, content in files.items():
            path = folder / {"main": "inventory.yaml", "env": ".env", "group": "group_vars/all"}[name]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        try:
            show(Explainer(None, environ={"Y": "y"}, cwd=str(folder), extra=extra))
        except ConfigError as error:
            check(error)
            return False
        return True

    yield tell
    for name in (".env", "group_vars/all"):
        (folder / name).unlink(missing_ok=True)


def show(source: Explainer) -> None:
    with mistakes_of_types_too(Registry()):
        inventory = source.load()
    rows = host_rows(inventory, inventory.hosts.values())
    lines = [*host_lines(rows, 80), *graph_lines(inventory)]
    assert not [line.plain for line in lines if line.plain != line.plain.rstrip()]
    for placement in inventory.placements:
        lines += setting_lines(str(placement.target), source.placement(placement), 80)
    for name in inventory.hosts:
        lines += setting_lines(name, source.host(name), 80)
    json.dumps([rows, as_ansible(inventory)], default=str)
    try:
        desire(inventory, Registry())
    except InventoryError as error:
        check(error)
    assert not [line.plain for line in lines if UNSAFE.search(line.plain)]


def check(error: ConfigError) -> None:
    """It has a place and a reason, and is safe to show."""
    json.dumps(error.as_json())
    told = [line.plain for line in error_lines(error)]
    assert told
    assert not [line for line in told if UNSAFE.search(line)]
    if isinstance(error, InventoryError):
        assert error.problems
        assert not [each for each in error.problems if not (each.position and each.message and each.suggestion)]
    else:
        assert error.hint


def mutated(text: str, edits: list[tuple[int, int, str]]) -> str:
    for start, length, scrap in edits:
        place = start % (len(text) + 1)
        text = text[:place] + scrap + text[place + length :]
    return text


@some
@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200)
    | st.lists(st.sampled_from(SCRAPS), max_size=40).map("".join)
)
def test_any_text(tell: Callable[..., bool], content: str | bytes) -> None:
    tell(main=content)


@some
@given(document=documents)
def test_any_document(tell: Callable[..., bool], document: Any) -> None:
    tell(main=json.dumps(document))


@some
@given(text=st.sampled_from([LAB, TREE, f"llmstack: 1\n{OVER}{WEB}{MODELS}"]), edits=mutations)
def test_any_slip_of_the_pen(tell: Callable[..., bool], text: str, edits: list[tuple[int, int, str]]) -> None:
    tell(main=mutated(text, edits))


@some
@given(
    extra=extras,
    variables=values.map(json.dumps) | st.text(max_size=60),
    environ=st.text(max_size=60) | st.binary(max_size=30),
)
def test_any_file_beside_it_and_any_value_of_the_command_line(
    tell: Callable[..., bool], extra: list[str], variables: str, environ: str | bytes
) -> None:
    tell(*extra, main=f"llmstack: 1\n{OVER}{WEB}{MODELS}", group=variables, env=environ)


def test_most_of_what_is_tried_is_near_enough_to_be_understood(tell: Callable[..., bool]) -> None:
    assert tell(main=LAB, group="x: 1", env="Y=1")
    assert not tell(main=LAB, group="engine: 5", env="Y=1")
