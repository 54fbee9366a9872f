"""Each mistake is named at its place; `^` under a line marks the words that the caret must stand under."""

# ruff: noqa: E501 - one case a line
from __future__ import annotations

from collections.abc import Callable

import pytest

from llmstack.domain.position import Problem

Mistaken = Callable[..., list[Problem]]

HEAD = "llmstack: 1\n"
HOSTS = HEAD + "all: {hosts: {one: , two: }, children: {gpu: {hosts: {three: }}}}\n"

CASES = [
    # text, code, marked text, part of the message, suggestion
    (HEAD + "overide: {}\n", "E012", "overide", "unknown key 'overide' in the inventory", None),
    (HEAD + "model: {}\n", "E012", "model", "unknown key 'model'", "models"),
    ("stack: x\n", "E010", None, "schema version is missing", "start with llmstack: 1"),
    ("llmstack: 2\n", "E010", "2", "llmstack should be 1, the schema that this version reads", "write llmstack: 1, or update llmstack"),
    ("llmstack: true\n", "E010", "true", "llmstack should be 1", None),
    ("llmstack: [1]\n", "E010", "[1]", "llmstack should be 1", None),
    (HEAD + "web: {type: c, hosts: a}\n", "E012", "web", "unknown key 'web' in the inventory", "move it below services or models"),
    (HEAD + "gpu: {hosts: {a: }, vras: {}}\n", "E012", "vras", "unknown key 'vras' in gpu", "vars"),
    (HEAD + "hosts: [a, b]\n", "E012", "hosts", "unknown key 'hosts' in the inventory", "move it below all, or the name of a group: all: {hosts: ...}"),
    (HEAD + "all: {hosts: [a, b]}\n", "E013", "[a, b]", "all.hosts should be a mapping", "write a: ..., not a list"),
    (HEAD + "all: {hosts: {a: 10.0.0.1}}\n", "E013", "10.0.0.1", "all.hosts.a should be a mapping of its variables", "{ansible_host: 10.0.0.1}"),
    (HEAD + "gpu: {hosts: {a: }, children: [b]}\n", "E013", "[b]", "gpu.children should be a mapping", None),
    (HEAD + "'g g': {hosts: {a: }}\n", "E014", "'g g'", "'g g' is no name for a group", None),
    (HEAD + "stack: My Lab\n", "E013", "My Lab", "stack should be a-z, 0-9, _ and -; at most 63", "my-lab"),
    (HEAD + "stack: A B\n", "E013", "A B", "stack should be a-z, 0-9, _ and -; at most 63", "a-b"),
    (HEAD + "stack: ' '\n", "E013", "' '", "stack should be a-z, 0-9, _ and -; at most 63", "such as lab"),
    (HEAD + "compose_labels: 1\n", "E013", "1", "compose_labels should be true or false", None),
    (HEAD + "services: [a]\n", "E013", "[a]", "services should be a mapping", None),
    (HEAD + "services: {web: container}\n", "E013", "container", "services.web should be a mapping", None),
    (HEAD + "services: {web: }\n", "E011", "web", "services.web has no type", "type: NAME"),
    (HEAD + "models: {m: {source: x}}\n", "E011", "m", "models.m has no type", "type: NAME, or service: NAME"),
    (HEAD + "services: {web: {type: [a]}}\n", "E013", "[a]", "services.web.type should be the name of a type", None),
    (HEAD + "services: {web: {type: '${x}'}}\n", "E013", None, "type should be the name of a type", None),
    (HEAD + "services: {web: {type: c, imge: x}}\n", "E012", "imge", "unknown key 'imge' in services.web", "image"),
    (HEAD + "services: {web: {type: c, volumes: x}}\n", "E012", "volumes", "unknown key 'volumes'", "mounts"),
    (HEAD + "services: {web: {type: c, gpus: all}}\n", "E012", "gpus", "unknown key 'gpus'", "resources.gpus"),
    (HEAD + "services: {web: {type: c, service: x}}\n", "E012", "service", "unknown key 'service'", None),
    (HEAD + "services: {Web: {type: c}}\n", "E014", "Web", "'Web' is no name for a service", "web"),
    (HEAD + "models: {llama3.1: {type: c}}\n", "E014", "llama3.1", "'llama3.1' is no name for a model", "llama3-1"),
    (HEAD + "models: {'': {type: c}}\n", "E014", "''", "'' is no name for a model", "a-z, 0-9, _ and -; at most 63"),
    (HEAD + "services: {w: {type: c, enabled: flase}}\n", "E013", "flase", "enabled should be true or false", "false"),
    (HEAD + "models: {status: {type: c}}\n", "E014", "status", "'status' is a task", "status-model"),
    (HEAD + "services: {lock: {type: c}}\n", "E014", "lock", "'lock' is our lock", "lock-service"),
    (HEAD + "models: {localhost: {type: c}}\n", "E014", "localhost", "'localhost' is a host", "localhost-model"),
    (HOSTS + "models: {gpu: {type: c}}\n", "E014", "gpu", "'gpu' is a group", "gpu-model"),
    (HEAD + "services: {x: {type: c}}\nmodels: {x: {type: d}}\n", "E014", "x", "is a service already; services and models share one set of names", None),
    (HEAD + "services: {w: {type: c, port: 0}}\n", "E013", "0", "port should be a number between 1 and 65535, or auto", None),
    (HEAD + "services: {w: {type: c, port: 70000}}\n", "E013", "70000", "port should be a number between 1 and 65535, or auto", None),
    (HEAD + "services: {w: {type: c, port: 22:22}}\n", "E013", "22:22", "port should be a number between", None),
    (HEAD + "services: {w: {type: c, port: aut}}\n", "E013", "aut", "65535, or auto", "auto"),
    (HEAD + "services: {w: {type: c, port: [1]}}\n", "E013", "[1]", "port should be a number between", None),
    (HEAD + "services: {w: {type: c, engine: dokcer}}\n", "E013", "dokcer", "engine should be docker or process", "docker"),
    (HEAD + "services: {w: {type: c, image: [a]}}\n", "E013", "[a]", "image should be the name of an image", None),
    (HEAD + "services: {w: {type: c, image: ' '}}\n", "E013", "' '", "image should be the name of an image", None),
    (HEAD + "services: {w: {type: c, args: -v}}\n", "E013", "-v", "args should be a list", None),
    (HEAD + "services: {w: {type: c, args: [[a]]}}\n", "E013", "[a]", "args.0 should be text", None),
    (HEAD + "services: {w: {type: c, args: [a, null]}}\n", "E013", "null", "args.1 should be text", None),
    (HEAD + "services: {w: {type: c, enabled: maybe}}\n", "E013", "maybe", "enabled should be true or false", None),
    (HEAD + "services: {w: {type: c, ready_timeout_s: soon}}\n", "E013", "soon", "should be a number", None),
    (HEAD + "services: {w: {type: c, ready_timeout_s: nan}}\n", "E013", "nan", "should be a number", None),
    (HEAD + "services: {w: {type: c, ready_timeout_s: 0}}\n", "E013", "0", "should be a number above 0", None),
    (HEAD + "models: {m: {type: c, checks: [{text: a}]}}\n", "E011", "{text: a}", "models.m.checks.0 has no prompt", "prompt: What is 2 + 2?"),
    (HEAD + "models: {m: {type: c, checks: [{prompt: a, pattern: '('}]}}\n", "E013", "'('", "pattern should be a regular expression", None),
    (HEAD + "models: {m: {type: c, checks: [{prompt: a, device: npu}]}}\n", "E013", "npu", "device should be gpu or cpu", None),
    (HEAD + "models: {m: {type: c, checks: [{prompt: a, txt: b}]}}\n", "E012", "txt", "unknown key 'txt'", "text"),
    (HEAD + "services: {w: {type: c, checks: [{prompt: a}]}}\n", "E012", "checks", "unknown key 'checks'", None),
    (HEAD + "services: {w: {type: c, bind: lann}}\n", "E013", "lann", "bind should be loopback, lan, or an IP", None),
    (HEAD + "services: {w: {type: c, restart: sometimes}}\n", "E013", "sometimes", "restart should be no, always", None),
    (HEAD + "services: {w: {type: c, restart: on-failure:0}}\n", "E013", "on-failure:0", "restart should be", None),
    (HEAD + "services: {w: {type: c, env: [A=1]}}\n", "E013", "[A=1]", "services.w.env should be a mapping", "write A: 1, not a list"),
    (HEAD + "services: {w: {type: c, env: {A: [1]}}}\n", "E013", "[1]", "env.A should be text, or a secret", "{from: env, name: NAME}"),
    (HEAD + "services: {w: {type: c, env: {A=B: 1}}}\n", "E014", "A=B", "no name for an environment variable", None),
    (HEAD + "services: {w: {type: c, options: 5}}\n", "E013", "5", "services.w.options should be a mapping", None),
    (HEAD + "services: {w: {type: c, mounts: data}}\n", "E013", "data", "mounts should be a list", None),
    *((HEAD + f"services: {{w: {{type: c, mounts: [/x:/x, '{wrong}']}}}}\n", "E013", f"'{wrong}'", "mounts.1 should be source:target or source:target:ro", None)
      for wrong in ("data", "/a:b", "/a:/", "/a:/b:rx", "/a:/b:ro:rw", "a/b:/b", ":/b")),
    (HOSTS + "services: {w: {type: c, hosts: one, mounts: ['./a:/b']}}\n", "E013", "'./a:/b'", "this host is another machine", None),
    (HEAD + "services: {w: {type: c, resources: all}}\n", "E013", "all", "resources should be a mapping", None),
    (HEAD + "services: {w: {type: c, resources: {memory: 8}}}\n", "E013", "8", "a size with its unit", None),
    (HEAD + "services: {w: {type: c, resources: {memory: 1MiB}}}\n", "E013", "1MiB", "at least 6MiB", None),
    (HEAD + "services: {w: {type: c, resources: {shm: 0B}}}\n", "E013", "0B", "a size with its unit", None),
    (HEAD + "services: {w: {type: c, resources: {memory: [1]}}}\n", "E013", "[1]", "a size with its unit", None),
    (HEAD + "services: {w: {type: c, resources: {cpus: 0}}}\n", "E013", "0", "a number of CPUs", None),
    (HEAD + "services: {w: {type: c, resources: {pids: -1}}}\n", "E013", "-1", "a whole number above 0", None),
    (HEAD + "services: {w: {type: c, resources: {gpus: al}}}\n", "E013", "al", "all, how many, a list of ids, or auto", None),
    (HEAD + "services: {w: {type: c, resources: {memroy: 8GiB}}}\n", "E012", "memroy", "unknown key 'memroy'", "memory"),
    (HEAD + "services: {w: {type: c, adopt: my-web}}\n", "E013", "my-web", "adopt should be the name of a container in a mapping", "{container: my-web}"),
    (HEAD + "services: {w: {type: c, adopt: {}}}\n", "E013", "{}", "adopt should be the name of a container", "{container: NAME}"),
    (HEAD + "services: {w: {type: c, adopt: {container: '-x'}}}\n", "E013", "'-x'", "adopt.container should be the name of a container", None),
    (HEAD + "services: {w: {type: c, adopt: {container: web, name: x}}}\n", "E012", "name", "unknown key 'name' in services.w.adopt", None),
    (HEAD + "services: {w: {type: c, stateful: maybe}}\n", "E013", "maybe", "stateful should be true or false", None),
    (HEAD + "services: {w: {type: c, update: 2}}\n", "E013", "2", "update should be a mapping", None),
    (HEAD + "services: {w: {type: c, update: {seriel: 2}}}\n", "E012", "seriel", "unknown key 'seriel' in services.w.update", "serial"),
    *((HEAD + f"services: {{w: {{type: c, update: {{serial: {wrong}}}}}}}\n", "E013", wrong, "serial should be how many hosts at once", None)
      for wrong in ("0", "0%", "101%", "all", "[1]")),
    (HEAD + "services: {w: {type: c, update: {max_fail: -1}}}\n", "E013", "-1", "max_fail should be a whole number", None),
    (HEAD + "services: {w: {type: c, update: {drain_s: 1e99}}}\n", "E013", "1e99", "drain_s should be a number of seconds", None),
    (HEAD + "services: {w: {type: c, url: 'ftp://x'}}\n", "E013", "'ftp://x'", "should be an address", None),
    (HEAD + "services: {w: {type: c, url: 'http://x:0'}}\n", "E013", "'http://x:0'", "should be an address", None),
    (HEAD + "services: {w: {type: c, url: 'http://[x'}}\n", "E013", "'http://[x'", "should be an address", None),
    (HEAD + "services: {w: {type: c, url: 'http://u:p@x'}}\n", "E013", "'http://u:p@x'", "an address, without user and password", "such as http://127.0.0.1:11434"),
    (HEAD + "services: {w: {type: c, url: 'http://x', image: y}}\n", "E013", "image", "'image' has no meaning there", "remove it"),
    (HEAD + "models:\n  m:\n    type:c\n", "E013", "type:c", "models.m should be a mapping", "write a blank after the colon: type: c"),
    (HEAD + "models:\n  - m\n", "E013", None, "models should be a mapping", "write m: ..., not a list"),
    (HEAD + "models: {m: {type: c, tags: chat}}\n", "E013", "chat", "models.m.tags should be a list", "[chat]"),
    (HEAD + "models: {m: {type: c, mounts: 'a:/b'}}\n", "E013", "'a:/b'", "models.m.mounts should be a list", "[a:/b]"),
    (HEAD + "models: {m: {service: x}}\n", "E053", "x", "unknown service 'x'", "define it under services:"),
    (HEAD + "models: {m: {service: [x]}}\n", "E013", "[x]", "models.m.service should be text", None),
    (HEAD + "models: {n: {type: c}, m: {service: n}}\n", "E053", "n", "a model with a service of its own", None),
    (HEAD + "services: {web: {type: c}}\nmodels: {m: {service: wep}}\n", "E053", "wep", "unknown service", "web"),
    (HEAD + "services: {s: {type: c}}\nmodels: {m: {service: s, image: x}}\n", "E015", "image", "'image' is a key of the service", "write it in services.s (line 2)"),
    (HEAD + "services: {s: {type: c}}\nmodels: {m: {service: s, sorce: x}}\n", "E012", "sorce", "unknown key 'sorce' in models.m", "source"),
    (HEAD + "services: {s: {type: c, depends_on: [t]}}\n", "E051", "t", "unknown service 't' in depends_on", "services: s"),
    (HEAD + "services: {s: {type: c, depends_on: [s]}}\n", "E051", "s", "wait for each other: s → s", None),
    (HEAD + "services: {a: {type: c, depends_on: [b]}, b: {type: c, depends_on: [a]}}\n", "E051", None, "wait for each other", None),
    (HEAD + "services: {s: {type: c, depends_on: [m]}}\nmodels: {m: {service: s}}\n", "E051", "m", "'m' is a model in service 's'", "s"),
    (HEAD + "services: {a: {type: c, port: 1}, b: {type: c, port: 1}}\n", "E050", "1", "port 1 on localhost belongs to 'a' already", "another port, or auto"),
    (HEAD + "services: {a: {type: c, port: 1, bind: lan}, b: {type: c, port: 1}}\n", "E050", "1", "belongs to 'a'", "another port, or auto"),
    (HOSTS + "services: {a: {type: c, hosts: one}, w: {type: c, hosts: two, depends_on: [a]}}\n", "E052", "a", "'w' on two cannot reach 'a': on one it is bound to loopback", "set bind: lan in services.a"),
    (HEAD + "models: {m: {type: c, aliases: [m]}}\n", "E014", "m", "alias 'm' of 'm' is taken by 'm'", None),
    (HEAD + "models: {m: {type: c, aliases: [x]}, n: {type: c, aliases: [x]}}\n", "E014", "x", "alias 'x' of 'n' is taken by 'm'", None),
    (HEAD + "models: {m: {type: c, aliases: [up]}}\n", "E014", "up", "'up' is a task", "up-alias"),
    (HEAD + "models: {m: {type: c, aliases: ['']}}\n", "E014", "''", "'' is no name for a alias", None),
    (HEAD + "defaults: {all: {imge: x}}\n", "E012", "imge", "unknown key 'imge' in defaults.all", "image"),
    (HEAD + "defaults: {all: {type: x}}\n", "E012", "type", "unknown key 'type' in defaults.all", None),
    (HEAD + "defaults: {vlm: {}}\nmodels: {m: {type: vllm}}\n", "E012", "vlm", "nothing has the type 'vlm'", "vllm"),
    (HEAD + "defaults: {all: {port: x}}\nmodels: {m: {type: vllm}}\n", "E013", "x", "port should be", None),
    (HOSTS + "models: {m: {type: c, hosts: gpuu}}\n", "E021", "gpuu", "pattern 'gpuu' names no host or group", "did you mean 'gpu'? (groups: all, gpu, ungrouped)"),
    (HOSTS + "models: {m: {type: c, hosts: ['gpu', '!xyzzy']}}\n", "E021", "xyzzy", "no host or group 'xyzzy'", "add it to all: (groups: all, gpu, ungrouped)"),
    (HOSTS + "models: {m: {type: c, hosts: 'gpu:!three'}}\n", "E022", "'gpu:!three'", "selects no host", "for a durable off write enabled: false"),
    (HOSTS + "models: {m: {type: c, hosts: []}}\n", "E022", "[]", "selects no host", None),
    (HOSTS + "models: {m: {type: c, hosts: [null]}}\n", "E021", "null", "names no host or group", None),
    (HOSTS + "models: {m: {type: c, hosts: ' : ,'}}\n", "E022", "' : ,'", "selects no host", None),
    (HOSTS + "models: {m: {type: c, hosts: [{}]}}\n", "E013", "{}", "models.m.hosts.0 should be a pattern", None),
    (HOSTS + "models: {m: {type: c, hosts: {a: b}}}\n", "E013", "{a: b}", "models.m.hosts should be a pattern", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "marked", "message", "suggestion"), CASES)
def test_a_mistake_is_named_where_it_stands(
    mistaken: Mistaken, text: str, code: str, marked: str | None, message: str, suggestion: str | None
) -> None:
    found = [problem for problem in mistaken(text) if problem.code == code and message in problem.message]
    assert found, [(problem.code, problem.message) for problem in mistaken(text)]
    problem = found[0]
    if marked is not None:
        assert problem.position is not None
        assert problem.source_line == text.splitlines()[problem.position.line - 1]
        assert problem.source_line[problem.position.column - 1 :].startswith(marked)
        assert problem.position.end_column == problem.position.column + len(marked)
    assert problem.suggestion == suggestion if suggestion else problem.suggestion


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("models:\n  m:\n  type: c\n  source: x\n", "E012", 4),
        ("models:\n  m:\n    type:c\n", "E013", 4),
        ("models:\n  - m:\n      type: c\n", "E013", 3),
        ("services:\n  o: {type: Odd!}\n", "E013", 3),
        ("services:\n  o: {type: ollama, port: {{ port }}}\n", "E005", 3),
        ("services:\n  o:\n    type: ollama\n    env: {A: {from: env, nme: X}}\n", "E012", 5),
        ("services:\n  o:\n    type: ollama\n    env: {A: {from: env}}\n", "E011", 5),
        ("services:\n  o: {type: '${none}'}\n", "E013", 3),
    ],
)
def test_a_slip_in_writing_is_told_once(mistaken: Mistaken, text: str, code: str, line: int) -> None:
    (problem,) = mistaken(HEAD + text)
    assert (problem.code, problem.position and problem.position.line) == (code, line)


def test_all_mistakes_come_at_once_in_the_order_of_the_file(mistaken: Mistaken) -> None:
    problems = mistaken(
        "llmstack: 1\nstak: x\nservices:\n  ollama: {type: ollama, prt: 1, port: x, restart: y, hosts: gpu}\n"
        "  ollama: {type: ollama}\n  webui: {depends_on: [olama], mounts: [a]}\nmodels:\n  m: {service: olama, bind: lan}\n"
    )
    assert [(problem.code, problem.position and problem.position.line) for problem in problems] == [
        ("E012", 2),
        ("E012", 4),
        ("E013", 4),
        ("E013", 4),
        ("E021", 4),
        ("E003", 5),
        ("E011", 6),
        ("E051", 6),
        ("E013", 6),
        ("E053", 8),
        ("E015", 8),
    ]


def test_a_mistake_in_defaults_is_told_once_for_all_that_use_them(mistaken: Mistaken) -> None:
    (problem,) = mistaken(HOSTS + "defaults: {all: {restart: x, hosts: all}}\nmodels: {m: {type: c}, n: {type: c}}\n")
    assert problem.code == "E013"


def test_more_mistakes_than_anyone_reads_are_cut_off(mistaken: Mistaken) -> None:
    assert len(mistaken(HEAD + "".join(f"wrong{number}: 1\n" for number in range(500)))) == 100


def test_too_many_placements_are_refused(mistaken: Mistaken) -> None:
    entries = "".join(f"  m{number}: {{type: c}}\n" for number in range(11))
    text = HEAD + f"all: {{hosts: {{'h[0:999]': }}}}\ndefaults: {{all: {{hosts: all}}}}\nmodels:\n{entries}"
    assert [problem.code for problem in mistaken(text)] == ["E004"]


FINE = [
    "services: {a: {type: c, port: 1}, b: {type: c, port: 1, enabled: false}}\n",
    "services: {a: {type: c, port: auto}, b: {type: c, port: auto}}\n",
    "services: {a: {type: c, port: 1}, b: {type: c, port: 1, bind: 10.0.0.1}}\n",
    "services: {a: {type: c, port: 1, hosts: one}, b: {type: c, port: 1, hosts: two}}\n",
    "services: {a: {type: c, hosts: one, bind: lan}, w: {type: c, hosts: two, depends_on: [a]}}\n",
    "services: {a: {type: c, hosts: one, bind: 10.0.0.7}, w: {type: c, hosts: two, depends_on: [a]}}\n",
    "services: {a: {type: c, hosts: one, url: 'http://a:1'}, w: {type: c, hosts: two, depends_on: [a]}}\n",
    "services: {a: {type: c, hosts: one}, w: {type: c, hosts: two, depends_on: [a], enabled: false}}\n",
    "services: {a: {type: c, hosts: all}, w: {type: c, hosts: two, depends_on: [a]}}\n",
    "defaults: {all: {image: x, port: 1}}\nservices: {w: {type: c, hosts: one, url: 'http://x/v1'}}\n",
    "defaults: {llamacpp: {image: x}}\n",
    "services: {w: {type: c, hosts: one, restart: 'on-failure:3', bind: '::1'}}\n",
    "services: {w: {type: c, hosts: [one, gpu, '!three']}}\n",
    "models: {m: {type: c, service: , hosts: one, tags: [x], aliases: [y]}}\n",
]  # fmt: skip


@pytest.mark.parametrize("text", FINE)
def test_what_only_looks_wrong_is_fine(loaded: Callable[..., object], text: str) -> None:
    loaded(HOSTS + text)


def test_defaults_that_have_no_meaning_for_a_url_are_left_out(placed: Callable[..., object]) -> None:
    text = "defaults: {all: {image: x, port: 1, tags: [t]}}\nservices: {w: {type: c, url: 'http://x/v1'}}\n"
    service = placed(HEAD + text).service  # type: ignore[attr-defined]
    assert (service.image, service.port, service.tags) == (None, None, ("t",))
