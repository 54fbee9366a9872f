"""Where variables come from, which of them win, and what `overrides` among them change."""

# ruff: noqa: E501 - one case a line
from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from llmstack.domain.position import Problem
from llmstack.domain.secret import Secret
from llmstack.domain.service import Inventory
from llmstack.errors import ConfigError, InventoryError, UsageError
from llmstack.inventory import load, varfiles

Loaded = Callable[..., Inventory]

ALL = "all: {vars: {a: all, b: all, c: all, d: all, e: all}, children: {gpu: {vars: {b: gpu, c: gpu}, hosts: {g1: {d: g1, e: g1}, g2: }}}}\n"
WEB = "services: {web: {type: c, hosts: all, port: 80, args: [a, b], env: {A: '1', B: '2'}}}\n"


def shown(env: Mapping[str, str | Secret]) -> dict[str, str]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in env.items()}


def lay(folder: Path, **files: str) -> None:
    """Write files; `__` in a name stands for `/`, `_yml` for `.yml` and so on."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        for suffix in ("yml", "yaml", "json"):
            path = (
                path.with_name(path.name.removesuffix(f"_{suffix}") + f".{suffix}")
                if path.name.endswith(f"_{suffix}")
                else path
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def read(tmp_path: Path) -> Loaded:
    def read(text: str = "", *extra: str, **files: str) -> Inventory:
        lay(tmp_path, inventory_yaml=f"llmstack: 1\n{text}", **files)
        return load(None, environ={}, cwd=str(tmp_path), extra=extra)

    return read


@pytest.fixture
def told(read: Loaded) -> Callable[..., list[Problem]]:
    def told(text: str = "", *extra: str, **files: str) -> list[Problem]:
        with pytest.raises(InventoryError) as caught:
            read(text, *extra, **files)
        return list(caught.value.problems)

    return told


def values(inventory: Inventory, host: str) -> str:
    return " ".join(str(inventory.hosts[host].vars.get(name)) for name in "abcde")


def services(inventory: Inventory) -> dict[str, Any]:
    return {str(placement.target): placement.service for placement in inventory.placements}


# -- group_vars and host_vars ------------------------------------------------------------------------------------------


def test_files_beside_the_inventory_win_over_what_stands_in_it(read: Loaded) -> None:
    """As in Ansible: even `group_vars/all` wins over the variables that a group has in the inventory."""
    inventory = read(
        ALL,
        group_vars__all_yml="{b: file-all, e: file-all}",
        group_vars__gpu_yml="c: file-gpu",
        host_vars__g1_yml="d: file-g1",
    )
    assert values(inventory, "g1") == "all file-all file-gpu file-g1 g1"
    assert values(inventory, "g2") == "all file-all file-gpu all file-all"


@pytest.mark.parametrize("name", ["gpu", "gpu_yml", "gpu_yaml", "gpu_json", "gpu__one", "gpu__deep__two_yaml"])
def test_variables_stand_in_a_file_or_in_files_of_a_folder(read: Loaded, name: str) -> None:
    assert read(ALL, **{f"group_vars__{name}": '{"a": "file"}'}).hosts["g1"].vars["a"] == "file"


def test_in_a_folder_later_names_win_and_backups_do_not_count(read: Loaded) -> None:
    files = {
        "1_yml": "{a: one, b: one}",
        "2__x_yml": "b: two",
        "3_yml~": "b: old",
        ".4_yml": "b: hidden",
        "5.txt": "b: no",
    }
    inventory = read(
        ALL, **{f"group_vars__gpu__{name}": text for name, text in files.items()}, group_vars__gpu__6_yml=""
    )
    assert values(inventory, "g2") == "one two gpu all all"


def test_a_host_s_name_may_have_dots(read: Loaded) -> None:
    inventory = read("all: {hosts: {'n[1:2].lab': }}\n", host_vars__n1_lab="x: 1", **{"host_vars__n1.lab_yml": "x: 2"})
    assert [inventory.hosts[name].vars for name in ("n1.lab", "n2.lab")] == [{"x": 2}, {}]


def test_two_files_for_one_name_are_a_mistake(told: Callable[..., list[Problem]]) -> None:
    (problem,) = told(ALL, group_vars__gpu__x_yml="a: 1", group_vars__gpu_yml="a: 2")
    assert (problem.code, str(problem.position)) == ("E043", "group_vars/gpu.yml:1:1")


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("- a\n", "E010", "1:1"),
        ("a: 1\na: 2\n", "E003", "2:1"),
        ("a: [1\n", "E001", "1:6"),
        ("a: !vault x\n", "E002", "1:4"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", "E002", "1:1"),
        ("engine: 5\n", "E013", "1:9"),
    ],
)
def test_a_mistake_in_a_file_of_variables_is_told_there(
    told: Callable[..., list[Problem]], text: str, code: str, place: str
) -> None:
    (problem,) = told(ALL, group_vars__gpu_yml=text)
    assert (problem.code, str(problem.position)) == (code, f"group_vars/gpu.yml:{place}")
    assert problem.source_line == text.splitlines()[int(place[0]) - 1]


def test_a_named_inventory_has_its_own_folders(tmp_path: Path) -> None:
    lay(tmp_path, prod__hosts_yml="llmstack: 1\nall: {hosts: {h: }}\n", prod__host_vars__h_yml="engine: 5")
    with pytest.raises(InventoryError) as caught:
        load("prod/hosts.yml", environ={}, cwd=str(tmp_path))
    assert str(caught.value.problems[0].position) == "prod/host_vars/h.yml:1:9"


def test_a_folder_in_itself_comes_to_an_end(read: Loaded, tmp_path: Path) -> None:
    lay(tmp_path, group_vars__gpu__a_yml="a: file")
    (tmp_path / "group_vars/gpu/again").symlink_to(tmp_path / "group_vars/gpu")
    assert read(ALL).hosts["g1"].vars["a"] == "file"


def test_folders_that_never_end_are_refused(
    told: Callable[..., list[Problem]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(varfiles, "MAX_FILES", 500)
    lay(tmp_path, group_vars__gpu__a_yml="a: file")
    for number in range(9):
        (tmp_path / f"group_vars/gpu/again{number}").symlink_to(tmp_path / "group_vars/gpu")
    assert [problem.code for problem in told(ALL)] == ["E004"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
@pytest.mark.parametrize("name", ["group_vars", ".env"])
def test_what_a_stranger_left_beside_an_inventory_is_refused(read: Loaded, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir() if name == "group_vars" else (tmp_path / name).touch()
    os.chown(tmp_path / name, 12345, -1)
    read(ALL)
    tmp_path.chmod(0o1777)
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        read(ALL)


# -- -e ----------------------------------------------------------------------------------------------------------------


def test_a_value_of_the_command_line_wins_over_all_variables(read: Loaded) -> None:
    inventory = read(ALL, "a=x y", "b=2", "b=017", "c='017'", "d=[1, {k: v}]", "e=", host_vars__g1_yml="a: file")
    assert [inventory.hosts["g1"].vars[name] for name in "abcde"] == ["x y", 17, "017", [1, {"k": "v"}], None]


def test_a_value_of_the_command_line_fills_the_inventory(read: Loaded) -> None:
    inventory = read("services: {web: {type: c, image: 'web:${tag:-1}', port: '${port}'}}\n", "tag=2", "port=99")
    assert (services(inventory)["web@localhost"].image, services(inventory)["web@localhost"].port) == ("web:2", 99)


@pytest.mark.parametrize(
    "extra",
    [
        ["web.port=9000", "web.env.B=3", "web.args=[c]"],
        ["services.web.port=9000", "services.web.env.B=3", "services.web.args=[c]"],
        ["overrides={web: {port: 9000, env: {B: 3}, args: [c]}}"],
        ["services={web: {port: 9000, env: {B: 3}}}", "web.args=[c]"],
        ["@values.yaml"],
        ["@values.yaml", "@more.json", "web.port=9000"],
    ],
)  # fmt: skip
def test_a_service_is_overridden_from_the_command_line(read: Loaded, extra: list[str]) -> None:
    files = {"values_yaml": "services: {web: {port: 9000, env: {B: 3}, args: [c]}}\n", "more_json": '{"web.port": 1}'}
    web = services(read(WEB, *extra, **files))["web@localhost"]
    assert (web.port, web.args, shown(web.env)) == (9000, ("c",), {"A": "1", "B": "3"})


def test_the_environment_of_a_service_from_the_command_line_is_treated_as_a_secret(read: Loaded) -> None:
    text = "services: {web: {type: c, env: {A: 'x${a:-}', B: '${b:-2}', API_KEY: hush, C: c}}}\n"
    env = services(read(text, "a=1", "web.env.C=3"))["web@localhost"].env
    assert {name: isinstance(value, Secret) for name, value in env.items()} == {
        "A": True, "B": False, "API_KEY": True, "C": True,
    }  # fmt: skip
    assert shown(env) == {"A": "x1", "B": "2", "API_KEY": "hush", "C": "3"}
    assert "hush" not in repr(env)


def test_nothing_deletes_what_the_inventory_says(read: Loaded) -> None:
    web = services(read(WEB, "web.port=", "web.env.A=null", "web.args="))["web@localhost"]
    assert (web.port, web.args, web.env) == (None, (), {"B": "2"})


@pytest.mark.parametrize("text", ["a", "=a", "a b=c", "", "models"])
def test_what_is_no_value_is_a_mistake_of_the_command_line(read: Loaded, text: str) -> None:
    with pytest.raises(UsageError, match="-e cannot be"):
        read(WEB, text)


def test_a_file_that_is_not_there_is_named(read: Loaded) -> None:
    with pytest.raises(ConfigError, match=r"the file gone\.yaml is not there"):
        read(WEB, "@gone.yaml")


@pytest.mark.parametrize(
    ("extra", "code", "place", "message"),
    [
        (["prot=1"], "E012", "-e:1:1", "nothing reads the variable 'prot'"),
        (["@other.yaml"], "E012", "other.yaml:1:1", "nothing reads the variable 'web'"),
        (["ansible_x=1", "web.port=9o"], "E013", "-e:2:10", "web.port should be a number"),
        (["web.prt=9"], "E012", "-e:1:1", "unknown key 'prt' in overrides.web"),
        (["wep.port=9"], "E053", "-e:1:1", "no service or model 'wep' to override"),
        (["services.web=9"], "E013", "-e:1:14", "overrides.web should be a mapping"),
        (["services=9"], "E013", "-e:1:10", "overrides should be a mapping"),
        (["web.hosts=gpu"], "E014", "-e:1:1", "'hosts' is decided before a host is looked at"),
        (["web.args=[a"], "E001", "-e:1:12", "not YAML"),
        (["ansible_x={port: 5,\n x: y}", "web.port=9o"], "E013", "-e:3:10", "port should be a number"),
        (["@values.yaml"], "E013", "values.yaml:2:8", "port should be a number"),
        (["a.b.c.d.e.f.g.h.i.j.k.l=1"], "E014", "-e:1:1", "no key has that many dots"),
        (["ansible_x={a: {b: c}, a: 1}"], "E003", "-e:1:23", "duplicate key 'a'"),
    ],
)
def test_a_mistake_in_a_value_of_the_command_line_is_told_there(
    told: Callable[..., list[Problem]], extra: list[str], code: str, place: str, message: str
) -> None:
    files = {"values_yaml": "services: {web: {\n port: x}}\n", "other_yaml": "web: {port: 5}\n"}
    (problem,) = told(WEB, *extra, **files)
    assert (problem.code, str(problem.position)) == (code, place)
    assert message in problem.message
    assert problem.source_line


@pytest.mark.parametrize(
    ("extra", "suggestion"),
    [
        ("prot=1", "write NAME.port, as in web.port"),
        ("web={port: 5}", "write web.KEY=VALUE"),
        ("wep={port: 5}", "write web.KEY=VALUE"),
        ("enigne=process", "engine"),
        ("zone=b", "variables: ansible_connection, ansible_host, ansible_port"),
    ],
)
def test_a_variable_that_nothing_reads_is_told_with_what_was_meant(
    told: Callable[..., list[Problem]], extra: str, suggestion: str
) -> None:
    (problem,) = told(WEB, extra)
    assert problem.suggestion
    assert problem.suggestion.startswith(suggestion)


@pytest.mark.parametrize("extra", ["ansible_become=true", "engine=process", "a=1", "tag=2"])
def test_a_variable_that_is_read_or_set_anywhere_may_be_given(read: Loaded, extra: str) -> None:
    read(ALL + "services: {web: {type: c, image: 'web:${tag:-1}'}}\n", extra)


# -- files that nothing reads ------------------------------------------------------------------------------------------


def test_files_of_names_that_nothing_has_are_told(read: Loaded, tmp_path: Path) -> None:
    (tmp_path / "host_vars/g1").mkdir(parents=True)
    files = {"group_vars__gpuu_yml": "a: 1", "host_vars__g3_yaml": "a: 1", "group_vars__gpu_yml": "a: 1"}
    (tmp_path / "host_vars/README.md").write_text("# What these are\n", encoding="utf-8")
    found = read(ALL, **files, host_vars__other_yml="a: 1").warnings
    assert found == (
        "group_vars/gpuu.yml is read for nothing called 'gpuu'; did you mean 'gpu'?",
        "host_vars/g3.yaml is read for nothing called 'g3'; known: g1, g2",
        "host_vars/other.yml is read for nothing called 'other'; known: g1, g2",
    )


def test_a_variable_that_is_called_almost_like_ours_and_that_nothing_reads_is_told(read: Loaded) -> None:
    files = {"group_vars__gpu_yml": "docker_hosts: tcp://a:1\nengines: x\n", "host_vars__g1_yml": "override: {}\n"}
    use = "services: {web: {type: c, image: '${engines}', hosts: g1}}\n"
    assert set(read(ALL + use, **files).warnings) == {
        "group_vars/gpu.yml:1:1: nothing reads the variable 'docker_hosts'; did you mean 'docker_host'?",
        "host_vars/g1.yml:1:1: nothing reads the variable 'override'; did you mean 'overrides'?",
    }


def test_what_only_ansible_reads_is_no_mistake(read: Loaded) -> None:
    names = "ansible_become ansible_hostname ansible_password ansible_ssh_pass ansible_ssh_private_key_file http_port"
    variables = ", ".join(f"{name}: x" for name in names.split())
    assert read(f"all: {{vars: {{{variables}}}, hosts: {{g: }}}}\n").warnings == ()


# -- overrides ---------------------------------------------------------------------------------------------------------

OVER = """\
all:
  vars: {overrides: {web: {port: 1, env: {A: all, C: all}}}}
  hosts: {lone: }
  children:
    gpu:
      vars: {overrides: {web: {env: {A: gpu, B: }}, m: {enabled: false}, own: {source: gpu, port: 5}}}
      hosts: {g1: {overrides: {web: {env: {A: g1}, args: []}}}, g2: }
"""
MODELS = "models: {m: {service: web, source: s}, own: {type: x, hosts: all, source: t}}\n"


def test_overrides_of_all_levels_merge_deeply_into_the_service_on_that_host(read: Loaded) -> None:
    found = services(read(OVER + WEB + MODELS, host_vars__g2_yml="overrides: {web: {env: {A: file}}}"))
    assert {name: (web.port, web.args, web.env) for name, web in found.items() if web.name == "web"} == {
        "web@lone": (1, ("a", "b"), {"A": "all", "B": "2", "C": "all"}),
        "web@g1": (1, (), {"A": "g1", "C": "all"}),
        "web@g2": (1, ("a", "b"), {"A": "file", "C": "all"}),
    }


def test_overrides_change_models_too(read: Loaded) -> None:
    found = read(OVER + WEB + MODELS).placements
    sources = {(m.name, each.host.name): (m.source, m.enabled) for each in found for m in each.models}
    assert sources == {
        ("m", "lone"): ("s", True), ("m", "g1"): ("s", False), ("m", "g2"): ("s", False),
        ("own", "lone"): ("t", True), ("own", "g1"): ("gpu", True), ("own", "g2"): ("gpu", True),
    }  # fmt: skip
    assert [each.service.port for each in found if each.own_model] == [None, 5, 5]


def test_variables_of_the_host_fill_an_override(read: Loaded) -> None:
    text = "all: {vars: {overrides: {web: {port: '8${nr}'}}}, hosts: {a: {nr: 1}, b: {nr: 2}}}\n"
    assert [web.port for web in services(read(text + WEB)).values()] == [81, 82]


def test_a_url_on_one_host_takes_away_what_has_no_meaning_there(read: Loaded) -> None:
    text = "all: {hosts: {a: , b: {overrides: {web: {url: 'http://x/v1'}}}}}\n"
    assert [(web.port, web.url) for web in services(read(text + WEB)).values()] == [(80, None), (None, "http://x/v1")]


@pytest.mark.parametrize(
    ("overrides", "code", "message", "suggestion"),
    [
        ("{wep: {port: 1}}", "E053", "no service or model 'wep' to override", "web"),
        ("{web: {prt: 1}}", "E012", "unknown key 'prt' in overrides.web", "port"),
        ("{web: {source: x}}", "E012", "unknown key 'source' in overrides.web", "resources"),
        ("{web: 5}", "E013", "overrides.web should be a mapping", "write NAME: value"),
        ("{web: {type: x}}", "E014", "'type' is decided before a host is looked at", "write it in services.web"),
        ("{own: {service: web}}", "E014", "'service' is decided", "write it in models.own"),
        ("{m: {port: 1}}", "E015", "'port' is a key of the service", "write it in services.web (line 3)"),
        ("{web: {url: 'http://x', image: y}}", "E013", "'image' has no meaning there", "remove it"),
        ("[web]", "E013", "overrides should be a mapping", "write web: ..., not a list"),
    ],
)
def test_a_mistake_in_overrides_is_told_once(
    told: Callable[..., list[Problem]], overrides: str, code: str, message: str, suggestion: str | None
) -> None:
    (problem,) = told(f"all: {{hosts: {{'h[1:5]': }}, vars: {{overrides: {overrides}}}}}\n{WEB}{MODELS}")
    assert (problem.code, problem.suggestion) == (code, suggestion)
    assert message in problem.message
    assert problem.position
    assert problem.position.line == 2


def test_the_place_of_an_override_is_known_where_it_holds(read: Loaded) -> None:
    inventory = read(OVER + WEB + MODELS, host_vars__g2_yml="overrides: {web: {env: {A: file}}}")
    places = {
        placement.host.name: str(inventory.on(placement).positions["services", "web", "env", "A"])
        for placement in inventory.placements
        if placement.service.name == "web"
    }
    assert places == {"lone": "inventory.yaml:3:46", "g1": "inventory.yaml:8:47", "g2": "host_vars/g2.yml:1:28"}


def test_two_services_that_an_override_puts_on_one_port_are_told_there(told: Callable[..., list[Problem]]) -> None:
    (problem,) = told("services: {a: {type: c, port: 1}, b: {type: c, port: 2}}\n", "b.port=1")
    assert (problem.code, str(problem.position)) == ("E050", "-e:1:8")


def test_a_fix_wins_over_the_other_files_of_a_host_and_takes_nothing_from_them(read: Loaded) -> None:
    inventory = read(
        f"{ALL}{WEB}",
        group_vars__all_yml="overrides: {web: {port: 81, env: {A: group}}}",
        host_vars__g1__aaa_yml="overrides: {web: {port: 82, args: [c]}}",
        **{"host_vars__g1__llmstack-fixes_yaml": "overrides: {web: {port: 83}}"},
        host_vars__g1__zzz_yml="overrides: {web: {port: 84, env: {B: host}}}",
    )
    web = next(each.service for each in inventory.placements if each.host.name == "g1")
    assert (web.port, web.args, shown(web.env)) == (83, ("c",), {"A": "group", "B": "host"})
