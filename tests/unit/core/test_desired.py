"""From the inventory and the types to what each engine should run."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from llmstack.core.desired import Wanted, desire
from llmstack.domain.instance import Mount
from llmstack.domain.position import Problem
from llmstack.errors import ConfigError, InventoryError, PluginError, PreflightError
from llmstack.inventory import load
from llmstack.modeltype.registry import Registry


class Folder:
    """An inventory in a folder of its own, with a model file beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "m.gguf").write_text("weights")

    def desire(self, text: str, plugins: Path | None = None) -> tuple[Wanted, ...]:
        (self.path / "inventory.yaml").write_text(dedent(text))
        inventory = load(str(self.path / "inventory.yaml"), environ={"KEY": "secret"})
        return desire(inventory, Registry(plugins) if plugins else Registry())

    def one(self, text: str) -> Wanted:
        (wanted,) = self.desire(text)
        return wanted

    def problems(self, text: str) -> list[Problem]:
        with pytest.raises(InventoryError) as caught:
            self.desire(text)
        return list(caught.value.problems)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("code", "word", "message", "suggestion", "text"),
    [
        ("E030", "olama", "unknown type 'olama' (types: ", "ollama", "services:\n  ollama: {type: olama}"),
        ("E031", "process", "type 'open-webui' runs on docker, not on process", "docker",
         "services:\n  w: {type: open-webui, engine: process}"),
        ("E032", "lan", "'demo' would be open to the network without a key",
         "set env.LLAMA_API_KEY, or insecure: true",
         "models:\n  demo: {type: llamacpp, source: m.gguf, bind: lan}"),
        ("E033", "demo", "type 'container' serves no models", "name a service of another type",
         "services: {box: {type: container, image: 'b:1'}}\nmodels:\n  demo: {service: box}"),
        ("E034", "b:", "a llamacpp service holds one model, 'big' is given 2", "give it a service of its own",
         "services: {big: {type: llamacpp}}\nmodels:\n  a: {service: big, source: m.gguf}\n  b: {service: big}"),
        ("E035", "big", "service 'big' has no model to serve", "write it under models:, with its source",
         "services:\n  big: {type: llamacpp}"),
        ("E039", "box", "service 'box' has no image", "write image: NAME:TAG",
         "services:\n  box: {type: container}"),
        ("E036", "demo", "model 'demo' has no source", "write source: file:PATH",
         "models:\n  demo: {type: llamacpp}"),
        ("E037", "ctx_sze", "unknown option 'ctx_sze'", "ctx_size",
         "models:\n  demo: {type: llamacpp, source: m.gguf, options: {ctx_sze: 4096}}"),
        ("E037", "fast", "unknown option 'fast'", "ctx_size, threads, gpu_layers, server",
         "models:\n  demo: {type: llamacpp, source: m.gguf, options: {fast: true}}"),
        ("E037", "big", "option 'ctx_size' should be a whole number", "such as 8192",
         "models:\n  demo: {type: llamacpp, source: m.gguf, options: {ctx_size: big}}"),
        ("E037", "vllm", "option 'server' should be one of auto, xllamacpp, llama-server",
         "auto, xllamacpp, llama-server",
         "models:\n  demo: {type: llamacpp, source: m.gguf, options: {server: vllm}}"),
        ("E037", "ctx_size", "unknown option 'ctx_size'", "remove it",
         "services: {o: {type: ollama}}\nmodels:\n  demo: {service: o, options: {ctx_size: 1}}"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 8 else "",
)  # fmt: skip
def test_what_only_a_type_can_find_wrong_is_told_at_its_place(
    folder: Folder, code: str, word: str, message: str, suggestion: str | None, text: str
) -> None:
    (problem,) = folder.problems(f"llmstack: 1\n{text}\n")
    assert problem.code == code
    assert problem.message.startswith(message)
    assert problem.suggestion == suggestion
    assert problem.position is not None
    assert problem.source_line is not None
    assert problem.source_line[problem.position.column - 1 :].startswith(word)


def test_options_that_variables_fill_are_of_their_own_type(folder: Folder) -> None:
    options = '{ctx_size: "${CTX:-8192}", threads: "${threads}"}'
    text = f"models: {{demo: {{type: llamacpp, source: m.gguf, options: {options}}}}}"
    wanted = folder.one(f"llmstack: 1\nall: {{vars: {{threads: 3}}}}\n{text}\n")
    assert (wanted.options.ctx_size, wanted.options.threads) == (8192, 3)


def test_a_problem_points_at_the_word_that_is_wrong(folder: Folder) -> None:
    (problem,) = folder.problems("llmstack: 1\nservices:\n  chat:\n    type: olama\n")
    assert str(problem.position).endswith("inventory.yaml:4:11")
    assert problem.source_line == "    type: olama"
    (problem,) = folder.problems(
        "llmstack: 1\nmodels:\n  demo:\n    type: llamacpp\n    source: m.gguf\n    bind: lan\n"
    )
    assert str(problem.position).endswith("inventory.yaml:6:11")


def test_all_mistakes_come_at_once_and_each_once(folder: Folder) -> None:
    text = """
    llmstack: 1
    all: {hosts: {a: {}, b: {}}}
    services:
      one: {type: nosuch}
      two: {type: ollama, hosts: all, options: {speed: 9, keep_alive: 5}}
    """
    problems = folder.problems(text)
    assert sorted(problem.code for problem in problems) == ["E030", "E037", "E037"]


@pytest.mark.parametrize("bind", ["loopback", "127.0.0.1", "127.1.2.3", "'::1'"])
def test_the_loopback_needs_no_key(folder: Folder, bind: str) -> None:
    assert folder.one(f"llmstack: 1\nmodels: {{demo: {{type: llamacpp, source: m.gguf, bind: {bind}}}}}\n").spec


@pytest.mark.parametrize("more", ["insecure: true", "env: {LLAMA_API_KEY: {from: env, name: KEY}}"])
def test_an_open_server_with_a_key_or_on_purpose_is_fine(folder: Folder, more: str) -> None:
    wanted = folder.one(f"llmstack: 1\nmodels: {{demo: {{type: llamacpp, source: m.gguf, bind: lan, {more}}}}}\n")
    assert wanted.spec is not None
    assert wanted.spec.bind == "0.0.0.0"


FULL = """
llmstack: 1
stack: lab
services:
  box:
    type: container
    image: box:1
    port: 3000
    bind: lan
    args: [serve]
    env: {DEBUG: 1, TOKEN: {from: env, name: KEY}}
    mounts: ["/data:/data:ro", "cache:/cache"]
    resources: {memory: 1GiB, cpus: 2, gpus: 1}
    restart: "no"
    options: {container_port: 80}
"""


def test_a_spec_says_everything_an_engine_needs(folder: Folder) -> None:
    wanted = folder.one(FULL)
    spec = wanted.spec
    assert spec is not None
    assert (spec.stack, spec.service, spec.host, spec.type, spec.engine) == (
        "lab", "box", "localhost", "container", "docker",
    )  # fmt: skip
    assert (spec.image, spec.command, spec.program) == ("box:1", ("serve",), ())
    assert (spec.port, spec.container_port, spec.bind, spec.restart) == (3000, 80, "0.0.0.0", "no")
    assert spec.env == {"DEBUG": "1"}
    assert spec.secrets["TOKEN"].reveal() == "secret"  # type: ignore[union-attr]
    assert spec.mounts == (
        Mount(source="/data", target="/data", read_only=True), Mount(source="cache", target="/cache", volume=True),
    )  # fmt: skip
    assert spec.resources.memory_bytes == 1 << 30
    assert spec.inventory == str(folder.path / "inventory.yaml")


def test_a_wish_is_flat_and_holds_no_secret(folder: Folder) -> None:
    spec = folder.one(FULL).spec
    assert spec is not None
    assert dict(spec.wish) == {
        "type": "container",
        "image": "box:1",
        "port": 3000,
        "bind": "lan",
        "restart": "no",
        "args": ["serve"],
        "mounts": ["/data:/data:ro", "cache:/cache"],
        "env.DEBUG": "1",
        "options.container_port": 80,
        "resources.memory_bytes": 1 << 30,
        "resources.cpus": 2.0,
        "resources.gpus": ["1"],
    }
    assert "secret" not in json.dumps(dict(spec.wish))


def test_a_process_has_a_program_and_no_image(folder: Folder) -> None:
    wanted = folder.one("llmstack: 1\nmodels: {demo: {type: llamacpp, engine: process, source: m.gguf}}\n")
    assert wanted.spec is not None
    assert (wanted.engine, wanted.spec.image) == ("process", None)
    assert wanted.spec.program
    assert wanted.spec.weights is not None
    assert wanted.spec.weights.path == str(folder.path / "m.gguf")
    assert wanted.spec.models == {"demo": "demo"}


def test_an_external_service_has_no_spec(folder: Folder) -> None:
    wanted = folder.one('llmstack: 1\nservices: {o: {type: ollama, url: "http://127.0.0.1:1"}}\n')
    assert (wanted.external, wanted.engine, wanted.spec, wanted.error) == (True, "external", None, None)


def test_what_is_wrong_with_one_service_stays_with_it(folder: Folder) -> None:
    fine, imageless, missing = folder.desire(
        """
        llmstack: 1
        services: {box: {type: container, image: "b:1"}, no: {type: container, enabled: false}}
        models: {gone: {type: llamacpp, source: gone.gguf}}
        """
    )
    assert (fine.error, missing.spec, imageless.spec) == (None, None, None)
    assert isinstance(missing.error, PreflightError)
    assert isinstance(imageless.error, ConfigError)
    assert imageless.error.message == "service 'no' has no image"


def plugin(folder: Path, name: str, body: str) -> None:
    head = "from llmstack.modeltype import Family, Launch, ModelType\n"
    (folder / f"{name}.py").write_text(head + dedent(body))


FINE = """
class Fine(ModelType):
    name = "fine"
    family = Family.COMPANION
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise RuntimeError('boom')", "plugin bad.py cannot be loaded: RuntimeError: boom"),
        ("raise SystemExit(3)", "plugin bad.py cannot be loaded: SystemExit: 3"),
        ("x = (", "plugin bad.py cannot be loaded: SyntaxError"),
        ("import nosuchmodule", "plugin bad.py cannot be loaded: ModuleNotFoundError"),
        ("pass", "plugin bad.py cannot be loaded: it should define one ModelType named 'bad', it defines 0"),
        ("class A(ModelType):\n    name = 'other'\n    family = Family.LAZY", "it defines 0"),
        ("class A(ModelType):\n    name = 'bad'\n    family = Family.LAZY\n"
         "class B(A):\n    name = 'bad'", "it defines 2"),
        ("class A(ModelType):\n    name = 'bad'", "A.family should be a Family"),
        ("class A(ModelType):\n    name = 'bad'\n    family = Family.LAZY\n    Options = dict",
         "A.Options should be a dataclass"),
        ("class A(ModelType):\n    name = 'bad'\n    family = Family.LAZY\n"
         "    def __init__(self): raise OSError('disk')", "plugin bad.py cannot be loaded: OSError: disk"),
        ("class A(ModelType):\n    name = 'bad'\n    family = Family.LAZY\n"
         "    def launch(self, request): return 1 / 0",
         "plugin 'bad' raised ZeroDivisionError: division by zero"),
        ("class A(ModelType):\n    name = 'bad'\n    family = Family.LAZY\n    def launch(self, request): return None",
         "plugin 'bad' raised AttributeError"),
    ],
)  # fmt: skip
def test_a_broken_plugin_is_named_and_stops_no_other_service(folder: Folder, body: str, message: str) -> None:
    plugins = folder.path / "plugins"
    plugins.mkdir()
    plugin(plugins, "fine", FINE)
    plugin(plugins, "bad", body)
    bad, fine = folder.desire("llmstack: 1\nservices: {one: {type: bad}, two: {type: fine}}\n", plugins)
    assert isinstance(bad.error, PluginError)
    assert message in bad.error.message
    assert bad.error.hint
    assert fine.error is None
    assert fine.spec is not None


PEERS = """
llmstack: 1
stack: lab
all: {{hosts: {{a: {{ansible_host: 10.0.0.1}}, b: {{}}}}}}
services:
  ollama: {{type: ollama, hosts: [{where}], bind: lan, insecure: true, {peer}}}
  page: {{type: open-webui, hosts: [a], depends_on: [ollama]}}
"""


@pytest.mark.parametrize(
    ("where", "peer", "url"),
    [
        ("a", "port: 9999", "http://ollama:11434"),
        ("'a,b'", "port: 9999", "http://ollama:11434"),
        ("a", "url: 'http://10.1.1.1:11434/'", "http://10.1.1.1:11434"),
        ("a", "engine: process", "http://127.0.0.1:11434"),
        ("b", "port: 9999", "http://b:9999"),
        ("b", "port: auto", "http://ollama"),
    ],
)
def test_a_companion_is_told_where_its_service_is(folder: Folder, where: str, peer: str, url: str) -> None:
    if "url" in peer:
        peer += "}  # "
    text = PEERS.format(where=where, peer=peer)
    text = text.replace("bind: lan, insecure: true, url", "url")
    pages = [item for item in folder.desire(text) if item.target.name == "page"]
    assert pages[0].spec is not None
    assert pages[0].spec.env["OLLAMA_BASE_URLS"] == url
    assert pages[0].spec.wish["depends_on.ollama"] == url


def test_a_dependency_of_another_host_is_reached_by_its_address(folder: Folder) -> None:
    text = PEERS.format(where="a", peer="port: 9999").replace("hosts: [a], depends", "hosts: [b], depends")
    page = folder.desire(text)[-1]
    assert page.spec is not None
    assert page.spec.env["OLLAMA_BASE_URLS"] == "http://10.0.0.1:9999"


def test_a_dependency_whose_plugin_is_broken_breaks_its_dependant_alone(folder: Folder) -> None:
    plugins = folder.path / "plugins"
    plugins.mkdir()
    plugin(plugins, "fine", FINE)
    plugin(plugins, "bad", "raise RuntimeError")
    text = "llmstack: 1\nservices: {one: {type: bad}, two: {type: fine, depends_on: [one]}, three: {type: fine}}\n"
    one, two, three = folder.desire(text, plugins)
    assert [type(item.error) for item in (one, two, three)] == [PluginError, PluginError, type(None)]


def test_peers_that_run_nowhere_or_of_an_unknown_type_are_config_errors(folder: Folder) -> None:
    from dataclasses import replace

    from llmstack.core.peers import peers_of

    (folder.path / "inventory.yaml").write_text(dedent(PEERS.format(where="a", peer="port: 1")))
    inventory = load(str(folder.path / "inventory.yaml"), environ={})
    page = inventory.placements[-1]
    nowhere: Any = replace(inventory, placements=(page,))
    with pytest.raises(ConfigError, match="runs nowhere"):
        peers_of(nowhere, page, Registry())
    ollama = inventory.placements[0]
    odd = replace(ollama, service=replace(ollama.service, type="odd"))
    with pytest.raises(ConfigError, match="unknown type"):
        peers_of(replace(inventory, placements=(odd, page)), page, Registry())
