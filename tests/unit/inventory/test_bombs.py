"""Small files that would grow without end are refused in time, or do no harm."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

from collections.abc import Callable

import pytest

from llmstack.domain.position import Problem
from llmstack.inventory import interpolate

Mistaken = Callable[..., list[Problem]]

MANY = "all: {hosts: {'h[0:4999]': }}\n"
WIDE = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
DEEP = [f"    d{n}: &d{n} {'[' * 10}*d{n - 1}{']' * 10}" for n in range(1, 99)]
LONG = "y" * 60_000

BOMBS = {
    "aliases": "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *WIDE]),
    "depth by aliases": "\n".join(["all:", "  vars:", "    d0: &d0 [x]", *DEEP]),
    "merge keys": "x-a: &a {" + ",".join(f"k{n}: 1" for n in range(2000)) + "}\n" + "".join(f"x-{n}: {{<<: *a}}\n" for n in range(200)),
    "services on hosts": MANY + "services: {a: {type: c, hosts: all}, b: {type: c, hosts: all}, c: {type: c, hosts: all}}\n",
    "hosts in groups": "all:\n  children:\n" + "".join(f"    g{n}: {{hosts: {{'h[0:9999]': }}}}\n" for n in range(60)),
    "groups in groups": "all:\n  children:\n" + "".join(f"    g{n}: {{children: {{g{n + 1}: }}}}\n" for n in range(900)) + "    g900: {hosts: {'h[0:999]': }}\n",
    "variables of hosts": "all: {hosts: {'h[0:9999]': }, vars: {" + ", ".join(f"v{n}: 1" for n in range(60)) + "}}\n",
    "text in texts": f"all: {{vars: {{x: {LONG}}}}}\nservices: {{s: {{type: c, args: [" + "'${x}a', " * 5000 + "]}}\n",
    "text on hosts": f"{MANY}x-a: &a {LONG}\nservices: {{s: {{type: c, hosts: all, image: *a, args: [" + "'${inventory_hostname}', " * 20 + "]}}\n",
    "defaults on hosts": MANY + "defaults: {all: {env: {" + ", ".join(f"E{n}: x" for n in range(500)) + "}}}\nservices: {s: {type: c, hosts: all}}\n",
    "models on hosts": MANY + "services: {s: {type: c, hosts: all}}\nmodels: {" + ", ".join(f"m{n}: {{service: s}}" for n in range(500)) + "}\n",
    "overrides on hosts": "all: {hosts: {'h[0:999]': }, vars: {overrides: {s: {env: {" + ", ".join(f"E{n}: 1" for n in range(500)) + "}}}}}\nservices: {s: {type: c, hosts: all}}\n",
    "patterns": MANY + "services: {s: {type: c, hosts: [" + ", ".join(f"'h*{n}'" for n in range(1500)) + "]}}\n",
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_grows_without_end_is_refused(mistaken: Mistaken, monkeypatch: pytest.MonkeyPatch, bomb: str) -> None:
    monkeypatch.setattr(interpolate, "MAX_FILLED", 100_000)
    problems = mistaken(f"llmstack: 1\n{BOMBS[bomb]}")
    assert {problem.code for problem in problems} == {"E004"}
    assert all(problem.position for problem in problems)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"services: {{s: {{type: c, port: {'9' * 1_000_000}}}}}\n", "E013"),
        (f"services: {{s: {{type: c, ready_timeout_s: {'9' * 1_000_000}.5}}}}\n", "E013"),
        (f"services: {{s: {{type: c, image: '{'${' * 500_000}'}}}}\n", "E040"),
        (f"services: {{s: {{type: c, hosts: '{'[' * 1_000_000}'}}}}\n", "E013"),
        (f"? {'k' * 1_000_000}\n: 1\n", "E012"),
        (f"all: {{hosts: {{? '{'[0:9]' * 5000}' : }}}}\n", "E020"),
        (f"all: {{hosts: {{{'a' * 250}: }}}}\nservices: {{s: {{type: c, hosts: '~(a+)+$'}}}}\n", "E020"),
        ("all: {vars: {" + ", ".join(f"v{n}: '${{v{n + 1}}}${{v{n + 1}}}'" for n in range(19)) + ", v19: xxxxxxxx}}\nservices: {s: {type: c, image: '${v0}'}}\n", "E040"),
    ],
)  # fmt: skip
def test_what_is_too_long_is_told_in_short(mistaken: Mistaken, text: str, code: str) -> None:
    (problem,) = mistaken(f"llmstack: 1\n{text}")
    assert problem.code == code
    assert len(problem.message) < 1_000


@pytest.mark.parametrize(
    "text",
    [
        "services:\n" + "".join(f"  s{n}: {{type: c, port: 80, bind: 10.0.{n // 250}.{n % 250}}}\n" for n in range(3000)),
        "all:\n  children:\n" + "".join(f"    {a}{n}: {{children: {{a{n + 1}: , b{n + 1}: }}}}\n" for n in range(200) for a in "ab"),
        f"{MANY}all-vars: {{vars: {{big: [{'1, ' * 50_000}]}}}}\n".replace("all: {", "all: {children: {all-vars: {hosts: {'h[0:4999]': }}}, "),
    ],
    ids=["one port on many addresses", "groups by many ways", "one large variable of many hosts"],
)  # fmt: skip
def test_what_only_looks_like_a_bomb_is_read(loaded: Callable[..., object], text: str) -> None:
    loaded(f"llmstack: 1\n{text}")
