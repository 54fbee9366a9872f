"""`inventory` and its relatives: what an inventory says, and where."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from tests.desk import Desk, Ran
from tests.integration.ansible import peer

LAB = """\
llmstack: 1
all:
  vars: {cache: /data, ansible_user: ops}
  hosts: {lone: {ansible_connection: local}}
  children:
    gpu: {hosts: {"gpu[1:2]": }, vars: {overrides: {ollama: {port: 9000}}}}
    prod: {children: {gpu: }}
services:
  ollama:
    type: ollama
    hosts: gpu
    env: {TOKEN: {from: env, name: HF}, API_KEY: "${env:KEY}"}
    mounts: ["${cache}:/weights"]
  web: {type: container, image: web, port: 8080, hosts: lone}
models:
  llama3: {service: ollama, source: "llama3:8b"}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("lab"), LAB)
    (desk.folder / "host_vars").mkdir()
    desk.write("cache: /fast\n", "host_vars/gpu2.yml")
    desk.write("KEY=hush\n", ".env")
    return desk


@pytest.fixture
def asked(lab: Desk, door: str) -> Callable[..., Ran]:
    return lambda *words: lab.good(*words, door=door)


def test_inventory_shows_each_host(lab: Desk) -> None:
    assert lab.good("inventory", "--limit", "gpu:lone").out == (
        "HOST  ENGINE  REACHED BY      GROUPS     SERVICES\n"
        "lone  docker  this machine    ungrouped  web\n"
        "gpu1  docker  ssh://ops@gpu1  prod, gpu  ollama\n"
        "gpu2  docker  ssh://ops@gpu2  prod, gpu  ollama\n"
    )


def test_inventory_graph_draws_groups_hosts_and_services(lab: Desk) -> None:
    assert lab.good("inventory.graph").out == (
        "@all:\n"
        "  |--@ungrouped:\n"
        "  |  |--lone  web\n"
        "  |--@gpu:\n"
        "  |  |--gpu1  ollama\n"
        "  |  |--gpu2  ollama\n"
        "  |--@prod:\n"
        "  |  |--@gpu: as above\n"
    )


def test_inventory_host_tells_where_each_variable_was_set(lab: Desk) -> None:
    assert lab.good("inventory.host", "--host", "gpu2", "-e", "ansible_zone=b").out == (
        "gpu2\n"
        "  cache                  /fast  host_vars/gpu2.yml:1:8\n"
        "  ansible_user           ops    inventory.yaml:3:38\n"
        "  overrides.ollama.port  9000   inventory.yaml:6:68\n"
        "  ansible_zone           b      -e:1:14\n"
    )


def test_inventory_explain_tells_where_each_value_was_set_and_keeps_secrets(asked: Callable[..., Ran]) -> None:
    ran = asked("inventory.explain", "--name", "llama3@gpu2", "-e", "ollama.bind=lan", "-o", "json")
    told = {item["key"]: item for item in ran.json["items"]}
    assert "hush" not in ran.out
    assert {item["target"] for item in told.values()} == {"ollama@gpu2"}
    assert {key: (item["value"], item["file"], item["line"]) for key, item in told.items() if item["file"]} == {
        "services.ollama.type": ("ollama", "inventory.yaml", 10),
        "services.ollama.hosts": ("gpu", "inventory.yaml", 11),
        "services.ollama.port": (9000, "inventory.yaml", 6),
        "services.ollama.bind": ("lan", "-e", 1),
        "services.ollama.env.TOKEN": ("secret env:HF", "inventory.yaml", 12),
        "services.ollama.env.API_KEY": ("(hidden)", "inventory.yaml", 12),
        "services.ollama.mounts": (["/fast:/weights"], "inventory.yaml", 13),
        "models.llama3.service": ("ollama", "inventory.yaml", 16),
        "models.llama3.source": ("llama3:8b", "inventory.yaml", 16),
    }
    assert told["services.ollama.env.API_KEY"]["via"] == [{"name": "env:KEY", "file": ".env", "line": 1, "column": 1}]
    assert told["services.ollama.mounts"]["via"][0]["file"] == "host_vars/gpu2.yml"
    defaults = {item["key"]: (item["value"], item["default"]) for item in told.values() if item["default"]}
    assert defaults["services.ollama.engine"] == ("docker", "host gpu2")
    assert defaults["services.ollama.restart"] == ("unless-stopped", "llmstack")
    assert defaults["services.ollama.image"][1] == "type ollama"


def test_explain_is_read_by_people_too(lab: Desk) -> None:
    ran = lab.good("inventory", "explain", "web", "-e", "web.tags=[a, b]", "-e", "web.env.V=${cache}")
    rows = [" ".join(row.split()) for row in ran.out.splitlines()]
    assert rows[:3] == [
        "web@lone",
        "services.web.hosts lone inventory.yaml:14:57",
        "services.web.type container inventory.yaml:14:15",
    ]
    assert "services.web.port 8080 inventory.yaml:14:44" in rows
    assert 'services.web.tags ["a", "b"] -e:1:10' in rows
    assert rows[rows.index("services.web.env.V /data -e:2:11") + 1] == "by cache inventory.yaml:3:17"
    assert "services.web.bind loopback default of llmstack" in rows


@pytest.mark.parametrize("task", ["inventory", "inventory.graph", "inventory.host", "inventory.explain"])
def test_each_answer_is_as_its_schema_says(lab: Desk, task: str) -> None:
    document = lab.good(task, "-o", "json").json
    assert document["items"]
    jsonschema.validate(document, lab.good("schema", "--kind", document["kind"]).json)


def test_a_name_that_is_none_and_a_host_that_is_none_match_nothing(lab: Desk) -> None:
    assert lab.run("inventory.explain", "--name", "lama3").code == 5
    assert lab.run("inventory.host", "--host", "gpu3").code == 5
    assert lab.run("inventory", "-l", "gpu:!prod").code == 5


def test_names_of_hosts_can_be_piped(lab: Desk) -> None:
    assert lab.good("inventory", "-o", "names", "-l", "gpu").out == "gpu1\ngpu2\n"


def test_the_list_is_ansible_s_json(asked: Callable[..., Ran]) -> None:
    listed = asked("inventory", "--list").json
    assert listed["_meta"]["hostvars"]["gpu2"] == {
        "cache": "/fast",
        "ansible_user": "ops",
        "overrides": {"ollama": {"port": 9000}},
    }
    assert {name: group for name, group in listed.items() if name != "_meta"} == {
        "all": {"hosts": ["lone"], "children": ["ungrouped", "gpu", "prod"]},
        "ungrouped": {"hosts": ["lone"]},
        "gpu": {"hosts": ["gpu1", "gpu2"]},
        "prod": {"hosts": [], "children": ["gpu"]},
    }


def test_one_host_is_ansible_s_json_too(asked: Callable[..., Ran], lab: Desk) -> None:
    assert asked("inventory", "--host", "gpu2").json == asked("inventory", "--list").json["_meta"]["hostvars"]["gpu2"]
    assert (lab.run("inventory", "--host", "gpu3").code, lab.run("inventory", "--host", "gpu").code) == (5, 2)


@pytest.mark.parametrize("hosts", ["lone: {ansible_connection: local}", ""], ids=["some ungrouped", "none"])
def test_ansible_takes_us_for_an_inventory(lab: Desk, make_desk: Callable[..., Desk], hosts: str) -> None:
    """Asked through a program of two lines, it sees what it sees in the file itself."""
    lab = (
        lab
        if hosts
        else make_desk(LAB.replace("lone: {ansible_connection: local}", "").replace("lone", "gpu1"), HF="x", KEY="y")
    )
    script = lab.program("stack.sh", '#!/bin/sh\nexec llmstack inventory "$@"\n')

    def listed(source: str) -> object:
        env = {**lab.env, "ANSIBLE_LOCALHOST_WARNING": "0", "PATH": f"{Path(sys.executable).parent}:{lab.env['PATH']}"}
        ran = subprocess.run(
            [str(peer.environment() / "ansible-inventory"), "-i", source, "--list"],
            cwd=lab.folder, env=env, capture_output=True, text=True, timeout=100, check=True,
        )  # fmt: skip
        found = json.loads(ran.stdout)
        ours = {"llmstack", "services", "models"}  # which Ansible takes for groups
        found["all"]["children"] = [name for name in found["all"]["children"] if name not in ours]
        return found

    assert listed(str(script)) == listed(str(lab.folder / "inventory.yaml"))


READS = (
    *("inventory", "inventory --list", "inventory.graph", "inventory.host", "inventory.explain"),
    *("status", "sync", "up --check", "uninstall --check"),
)


@pytest.mark.parametrize("line", READS)
def test_whatever_reads_the_inventory_warns_of_a_file_that_is_read_for_nothing(
    make_desk: Callable[..., Desk], line: str
) -> None:
    warned = make_desk("llmstack: 1\nservices:\n  web: {type: ollama, url: 'http://127.0.0.1:1'}\n")
    (warned.folder / "host_vars").mkdir()
    warned.write("a: 1\n", "host_vars/localhots.yml")
    said = "host_vars/localhots.yml is read for nothing called 'localhots'; did you mean 'localhost'?"
    ran = warned.run(*line.split())
    assert (ran.err.count(said), said in ran.out) == (1, False)
    ran = warned.run(*line.split(), "-q", "-o", "json")
    assert (said in ran.err, "_meta" in ran.json or ran.json["warnings"]) == (False, "_meta" in ran.json or [said])
