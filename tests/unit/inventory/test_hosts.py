from __future__ import annotations

from collections.abc import Callable

import pytest

from llmstack.domain.host import Group, Host
from llmstack.domain.position import Position, Problem
from llmstack.domain.service import Inventory
from llmstack.errors import InventoryError, NoMatchError
from llmstack.inventory.nodes import Node, Problems, Spot
from llmstack.inventory.patterns import Chooser, expand, hosts_matching

Loaded = Callable[..., Inventory]
Mistaken = Callable[..., list[Problem]]

GROUPS = {"all": ("jeta", "jetb", "gpu1", "gpu2"), "edge": ("jeta", "jetb"), "gpu": ("gpu1", "gpu2"), "one": ("gpu1",)}
HOSTS = GROUPS["all"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("gpu[01:03].lab", ["gpu01.lab", "gpu02.lab", "gpu03.lab"]),
        ("gpu[8:10]", ["gpu8", "gpu9", "gpu10"]),
        ("gpu[:2]", ["gpu0", "gpu1", "gpu2"]),
        ("jet[a:c]", ["jeta", "jetb", "jetc"]),
        ("n[1:7:3]", ["n1", "n4", "n7"]),
        ("n[a:e:2]", ["na", "nc", "ne"]),
        ("r[1:2]n[a:b]", ["r1na", "r1nb", "r2na", "r2nb"]),
        ("plain", ["plain"]),
    ],
)
def test_a_range_stands_for_both_ends_and_what_lies_between(pattern: str, names: list[str]) -> None:
    assert expand(pattern) == names


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("n[1]", "should be [first:last]"),
        ("n[1:2:3:4]", "should be [first:last]"),
        ("n[1:2", "should be [first:last]"),
        ("n1:2]", "should be [first:last]"),
        ("n[2:1]", "ends before it starts"),
        ("n[c:a]", "ends before it starts"),
        ("n[a:2]", "of numbers or letters"),
        ("n[é:ü]", "of numbers or letters"),
        ("n[1:3:0]", "should be [first:last]"),
        ("n[01:3]", "as many digits"),
        ("n[01:100]", "as many digits"),
        ("n[0:999999999]", "more than 10000 hosts"),
        ("n[1:999][1:999]", "more than 10000 hosts"),
    ],
)
def test_a_wrong_range_says_why(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("[", r"\[")):
        expand(pattern)


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("all", HOSTS),
        ("gpu", ("gpu1", "gpu2")),
        ("gpu1:jeta", ("jeta", "gpu1")),
        ("gpu,edge:!jetb", ("jeta", "gpu1", "gpu2")),
        ("!jetb, edge , gpu", ("jeta", "gpu1", "gpu2")),
        ("gpu:&one", ("gpu1",)),
        ("&one:gpu", ("gpu1",)),
        ("!edge", ("gpu1", "gpu2")),
        ("gpu*", ("gpu1", "gpu2")),
        ("ed?e", ("jeta", "jetb")),
        ("jet[ab]", ("jeta", "jetb")),
        ("*1", ("gpu1",)),
        ("~gpu[12]", ("gpu1", "gpu2")),
        ("~(gpu|jet)(1|a)$:!jeta", ("gpu1",)),
        (r"~jet[a,b:]", ("jeta", "jetb")),
        ("gpu[0]", ("gpu1",)),
        ("gpu[-1]", ("gpu2",)),
        ("all[-2]", ("gpu1",)),
        ("all[1:2]", ("jetb", "gpu1")),
        ("all[2:]", ("gpu1", "gpu2")),
        ("all[:1]", ("jeta", "jetb")),
        ("gpu1[0]", ("gpu1",)),
    ],
)
def test_a_pattern_picks_hosts(pattern: str, hosts: tuple[str, ...]) -> None:
    found, problems = selected(pattern)
    assert (found, problems) == (hosts, [])


def selected(*patterns: str) -> tuple[tuple[str, ...], list[Problem]]:
    """What patterns pick, and the mistakes in them; each pattern stands in a line of its own, without quotes."""
    at = [Position("x.yaml", line, 1, len(pattern) + 1) for line, pattern in enumerate(patterns, start=1)]
    nodes = [Node(at, pattern, pattern) for at, pattern in zip(at, patterns, strict=True)]
    problems = Problems("\n".join(patterns), "x.yaml")
    found = Chooser(GROUPS, HOSTS).select(Spot(Node(at[0], nodes), "hosts", problems))
    try:
        problems.raise_any()
    except InventoryError as error:
        return found, list(error.problems)
    return found, []


@pytest.mark.parametrize(
    ("pattern", "code", "marked", "message"),
    [
        ("gpuu:!gpu2", "E021", "gpuu", "names no host or group 'gpuu'"),
        ("gpu:!gpu3", "E021", "gpu3", "names no host or group 'gpu3'"),
        ("web*", "E021", "web*", "matches no host or group"),
        ("~web", "E021", "~web", "matches no host or group"),
        ("~(", "E020", "~(", "no valid regular expression"),
        ("~a{99999999999}", "E020", "~a{99999999999}", "no valid regular expression"),
        ("~(a|a)*b", "E020", "~(a|a)*b", "can take for ever"),
        ("~a*a*a*a*a*a*b", "E020", "~a*a*a*a*a*a*b", "can take for ever"),
        ("gpu[2]", "E020", "gpu[2]", "out of range in 'gpu[2]': 'gpu' has 2 hosts"),
        ("gpu[5:]", "E020", "gpu[5:]", "out of range"),
        ("gpx[0]", "E021", "gpx[0]", "names no host or group 'gpx'"),
        ("!", "E021", "!", "names no host or group"),
    ],
)
def test_a_wrong_pattern_says_which_part_and_why(pattern: str, code: str, marked: str, message: str) -> None:
    _, (problem,) = selected("gpu", pattern)
    at = problem.position
    assert at is not None
    assert (problem.code, at.line) == (code, 2)
    assert pattern[at.column - 1 : (at.end_column or 0) - 1] == marked
    assert message in problem.message


def test_a_pattern_is_no_longer_than_anyone_writes() -> None:
    found, (problem,) = selected("gpu", "[" * 5_000)
    assert (found, problem.code) == (GROUPS["gpu"], "E013")


def test_a_pattern_of_the_command_line_picks_hosts_or_matches_nothing(loaded: Loaded) -> None:
    inventory = loaded(TREE)
    assert hosts_matching(inventory, "gpu:!gpu02") == ("gpu01",)
    assert hosts_matching(inventory, "!prod,lone") == ("lone",)
    with pytest.raises(
        NoMatchError, match=r"no host or group 'gpuu' in the inventory\. Did you mean 'gpu'\?"
    ) as caught:
        hosts_matching(inventory, "gpuu")
    assert (caught.value.hint or "").startswith("hosts and groups: lone gpu02 gpu01 ")
    with pytest.raises(NoMatchError, match="pattern 'gpuu:lone' names no host or group 'gpuu'"):
        hosts_matching(inventory, "gpuu:lone")
    with pytest.raises(NoMatchError, match="selects no host"):
        hosts_matching(inventory, "gpu:&edge")


TREE = """\
llmstack: 1
all:
  vars: {a: all, b: all, c: all, d: all, e: all, ansible_user: ops}
  hosts:
    lone: {engine: process}
    gpu02: {e: host, ansible_host: 10.0.0.2, ansible_port: 2222}
  children:
    prod:
      vars: {b: prod, c: prod}
      children: {gpu: , edge: }
    gpu:
      vars: {c: gpu, d: gpu}
      hosts: {"gpu[01:02]": }
    edge:
      vars: {d: edge, docker_host: "tcp://${inventory_hostname}:2376"}
      hosts: {jet: {d: }}
    zone: {vars: {d: zone}, hosts: {gpu01: }}
    loud: {vars: {c: loud, ansible_group_priority: 5}, hosts: {gpu01: , here: {ansible_connection: local}}}
    void:
"""


def test_group_variables_reach_a_host_as_in_ansible(loaded: Loaded) -> None:
    hosts = loaded(TREE).hosts
    values = {name: "".join(str(host.vars.get(key))[0] for key in "abcde") for name, host in hosts.items()}
    assert values == {"lone": "aaaaa", "gpu02": "apggh", "gpu01": "apgga", "jet": "appNa", "here": "aalaa"}


def test_priority_decides_among_groups_of_one_depth(loaded: Loaded) -> None:
    text = (
        "llmstack: 1\nall: {children: {a: {vars: {x: 1, ansible_group_priority: %s}, hosts: {h: }},"
        " b: {vars: {x: 2}, hosts: {h: }}}}\n"
    )
    assert [loaded(text % priority).hosts["h"].vars["x"] for priority in ("1", "2", "-1")] == [2, 1, 2]


def test_groups_hold_the_hosts_of_their_children(loaded: Loaded) -> None:
    assert loaded(TREE).groups == {
        "all": ("lone", "gpu02", "gpu01", "jet", "here"),
        "edge": ("jet",),
        "gpu": ("gpu01", "gpu02"),
        "loud": ("gpu01", "here"),
        "prod": ("gpu01", "gpu02", "jet"),
        "ungrouped": ("lone",),
        "void": (),
        "zone": ("gpu01",),
    }


def test_each_host_says_how_it_is_reached(loaded: Loaded) -> None:
    hosts = loaded(TREE).hosts
    assert {name: (host.engine, host.docker_host) for name, host in hosts.items()} == {
        "lone": ("process", "ssh://ops@lone"),
        "gpu02": ("docker", "ssh://ops@10.0.0.2:2222"),
        "gpu01": ("docker", "ssh://ops@gpu01"),
        "jet": ("docker", "tcp://jet:2376"),
        "here": ("docker", None),
    }
    assert hosts["gpu02"].groups == ("prod", "gpu")
    assert hosts["jet"].vars["docker_host"] == "tcp://jet:2376"


def test_groups_may_stand_beside_all_and_hold_single_words_and_ports(loaded: Loaded) -> None:
    """What Ansible's own documents show works unedited."""
    inventory = loaded(
        "llmstack: 1\nx-vars: {vars: {a: 1}}\n"
        "web: {hosts: w1, children: db, vars: {ansible_ssh_user: ops, ansible_user: x}}\n"
        "all: {hosts: {'w2:2222': , w1: }, children: {ungrouped: {hosts: {db1: , z: }}}}\n"
        "db: {hosts: {'db[1:2]:5': {ansible_port: 6, ansible_ssh_host: 10.0.0.1}, 'w2:1': }}\n"
    )
    assert {name: host.docker_host for name, host in inventory.hosts.items()} == {
        "w1": "ssh://ops@w1",
        "w2": "ssh://ops@w2:2222",
        "db1": "ssh://ops@10.0.0.1:6",
        "z": "ssh://z",
        "db2": "ssh://ops@10.0.0.1:6",
    }
    assert inventory.groups == {
        "all": ("w2", "w1", "z", "db1", "db2"),
        "ungrouped": ("z",),
        "web": ("w1", "db1", "db2", "w2"),
        "db": ("db1", "db2", "w2"),
    }
    assert inventory.tree["all"] == Group(("w2", "w1"), ("ungrouped", "web"))


@pytest.mark.parametrize("tree", ["", "all:\n", "all: {vars: {engine: process}}\n", "all: {children: {gpu: }}\n"])
def test_without_any_host_there_is_this_machine(loaded: Loaded, tree: str) -> None:
    inventory = loaded("llmstack: 1\nmodels: {m: {type: x}}\n" + tree)
    assert [str(placement.target) for placement in inventory.placements] == ["m@localhost"]


def test_without_localhost_a_service_goes_everywhere(loaded: Loaded) -> None:
    inventory = loaded("llmstack: 1\nmodels: {m: {type: x}}\nall: {hosts: {'g[1:2]': }}\n")
    assert [str(placement.target) for placement in inventory.placements] == ["m@g1", "m@g2"]


@pytest.mark.parametrize("address", ["unix:///run/docker.sock", "tcp://[::1]:2376", "ssh://me@gpu01.lab:22"])
def test_the_address_of_an_engine_is_taken_as_it_is(loaded: Loaded, address: str) -> None:
    assert (
        loaded(f"llmstack: 1\nall: {{hosts: {{a: {{docker_host: '{address}'}}}}}}\n").hosts["a"].docker_host == address
    )


def test_an_address_of_ipv6_gets_its_brackets(loaded: Loaded) -> None:
    hosts = loaded("llmstack: 1\nall: {hosts: {six: {ansible_host: 'fe80::1'}}}\n").hosts
    assert hosts["six"] == Host("six", {"ansible_host": "fe80::1"}, ("ungrouped",), "docker", "ssh://[fe80::1]")


@pytest.mark.parametrize(
    ("tree", "code", "message"),
    [
        ("{host: {a: }}", "E012", "unknown key 'host' in all"),
        ("{hosts: [a]}", "E013", "all.hosts should be a mapping"),
        ("{hosts: {a: 5}}", "E013", "all.hosts.a should be a mapping"),
        ("{children: {g: [a]}}", "E013", "all.children.g should be a mapping"),
        ("{children: {all: }}", "E014", "'all' holds all groups"),
        ("{children: {'g g': }}", "E014", "'g g' is no name for a group"),
        ("{hosts: {'a b': }}", "E014", "'a b' is no name for a host"),
        ("{hosts: {'n[1]': }}", "E020", "range [1] should be"),
        ("{hosts: {'fe80::1': }}", "E014", "'fe80::1' is no name for a host"),
        ("{vars: {ansible_group_priority: high}}", "E013", "ansible_group_priority should be a whole number"),
        ("{hosts: {'n[0:9999]': , 'm[1:2]': , n1: }}", "E004", "more than 10000 hosts"),
        ("{hosts: {g: }, children: {g: }}", "E014", "'g' is both a host and a group"),
        ("{children: {a: {children: {b: }}, b: {children: {a: }}}}", "E020", "groups contain each other: "),
        ("{hosts: {a: {engine: podman}}}", "E013", "engine should be docker or process"),
        ("{hosts: {a: {engine: []}}}", "E040", "variable 'engine' should be text"),
        ("{hosts: {a: {docker_host: 'http://x'}}}", "E013", "docker_host should be unix:///"),
        ("{hosts: {a: {docker_host: 'ssh://-oProxyCommand=x'}}}", "E013", "docker_host should be unix:///"),
        ("{hosts: {a: {docker_host: 'ssh://-l@x'}}}", "E013", "docker_host should be unix:///"),
        (
            "{hosts: {a: {docker_host: 'unix://'}}}",
            "E013",
            "docker_host should be unix:///PATH or tcp://HOST:PORT; no ssh:// yet",
        ),
        ("{hosts: {a: {docker_host: 'tcp://x:99999'}}}", "E013", "docker_host should be unix:///"),
        ("{hosts: {a: {ansible_host: '-oProxyCommand=x'}}}", "E013", "ansible_host should be letters"),
        ("{hosts: {a: {ansible_user: 'a b'}}}", "E013", "ansible_user should be letters"),
        ("{hosts: {a: {ansible_port: 0}}}", "E013", "ansible_port should be between"),
        ("{hosts: {a: {ansible_port: ssh}}}", "E013", "ansible_port should be between"),
    ],
)
def test_a_mistake_in_the_tree_is_told(mistaken: Mistaken, tree: str, code: str, message: str) -> None:
    problems = mistaken(f"llmstack: 1\nall: {tree}\n")
    assert [problem.code for problem in problems] == [code]
    assert message in problems[0].message


def test_of_many_groups_only_some_are_shown(mistaken: Mistaken) -> None:
    groups = ", ".join(f"g{number}: " for number in range(40))
    (problem,) = mistaken(f"llmstack: 1\nall: {{children: {{{groups}}}}}\nmodels: {{m: {{type: x, hosts: zzz}}}}\n")
    assert (problem.suggestion or "").endswith("g17, g18, ...)")


def test_too_many_groups_are_refused(mistaken: Mistaken) -> None:
    groups = ", ".join(f"g{number}: " for number in range(1001))
    assert [problem.code for problem in mistaken(f"llmstack: 1\nall: {{children: {{{groups}}}}}\n")] == ["E004"]
