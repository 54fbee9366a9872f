from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmstack.errors import ConfigError, InventoryError, NoInventoryError
from llmstack.inventory import load

TEXT = "llmstack: 1\nstack: {}\n"


def write(path: Path, stack: str = "here") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT.format(stack), encoding="utf-8")
    return path


def refused(path: str | None, cwd: Path, environ: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(path, environ=environ or {}, cwd=str(cwd))
    assert caught.value.hint
    assert caught.value.exit_code == 3
    return caught.value


@pytest.mark.parametrize(
    ("name", "text", "what", "line"),
    [
        ("hosts.ini", "# all\n[gpu]\ngpu01 ansible_host=10.0.0.1\n", "INI", 2),
        ("hosts", "gpu01 ansible_host=10.0.0.1 ansible_user=ops\n", "INI", 1),
        ("hosts", "mail.lab\n\n[web:children]  ; all\nnorth\n", "INI", 3),
        ("hosts", "#!/bin/sh\necho '{}'\n", "a program", 1),
        ("hosts.py", "import json\nprint(json.dumps({}))\n", "a program", 1),
    ],
)
def test_an_inventory_that_only_ansible_reads_is_told_how_to_be_turned_into_yaml(
    tmp_path: Path, name: str, text: str, what: str, line: int
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InventoryError) as caught:
        load(name, environ={}, cwd=str(tmp_path))
    (problem,) = caught.value.problems
    assert (str(problem.position), problem.code) == (f"{name}:{line}:1", "E001")
    assert problem.message == f"this is {what}, which only Ansible reads"
    assert problem.suggestion == f"ansible-inventory -i {name} --list --yaml > inventory.yaml"


@pytest.mark.parametrize("text", ["[gpu:vars]\na=1\n", "a=1\n", "a=1\nb=2\n", "a b=1\n"])
def test_variables_as_in_an_ini_file_are_told_how_to_be_written(tmp_path: Path, text: str) -> None:
    write(tmp_path / "inventory.yaml")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(text, encoding="utf-8")
    with pytest.raises(InventoryError) as caught:
        load(None, environ={}, cwd=str(tmp_path))
    (problem,) = caught.value.problems
    assert (str(problem.position), problem.suggestion) == ("group_vars/all.yml:1:1", "write NAME: value in each line")


@pytest.mark.parametrize(
    "more", ["x-plugins:\n- a=b.py\n", "x-a:\n- FOO=bar\n", "x-a: b=c\n", "# a b=c\n", "x-a:\n  [gpu]\n"]
)
def test_yaml_that_looks_like_ini_in_a_line_is_yaml(tmp_path: Path, more: str) -> None:
    (tmp_path / "inventory.yaml").write_text(f"llmstack: 1\n{more}", encoding="utf-8")
    load(None, environ={}, cwd=str(tmp_path))


def test_a_plugin_that_is_not_there_is_told_where_it_is_listed(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/speed.py").write_text("", encoding="utf-8")
    (tmp_path / "inventory.yaml").write_text(
        "llmstack: 1\nplugins:\n- plugins/sped.py\n- other/x.py\n- plugins\n", encoding="utf-8"
    )
    with pytest.raises(InventoryError) as caught:
        load(None, environ={}, cwd=str(tmp_path))
    assert [(str(each.position), each.code, each.suggestion) for each in caught.value.problems] == [
        ("inventory.yaml:3:3", "E054", "plugins/speed.py"),
        ("inventory.yaml:4:3", "E054", "write it, or remove it here"),
        ("inventory.yaml:5:3", "E013", "such as plugins/speed.py"),
    ]


@pytest.mark.parametrize("name", ["inventory.yaml", "inventory.yml", "inventory.json"])
def test_the_inventory_is_found_here_or_above(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('{"llmstack": 1, "models": {"m": {"type": "x"}}}', encoding="utf-8")
    (tmp_path / "a" / "b").mkdir(parents=True)
    inventory = load(None, environ={}, cwd=str(tmp_path / "a" / "b"))
    assert inventory.path == str(path)
    assert inventory.positions["models", "m"].file == f"../../{name}"


def test_the_nearest_inventory_wins(tmp_path: Path) -> None:
    write(tmp_path / "inventory.yaml", "far")
    write(tmp_path / "a" / "inventory.yml", "near")
    assert load(None, environ={}, cwd=str(tmp_path / "a")).stack == "near"


def test_a_named_inventory_wins_over_the_variable_and_that_over_the_search(tmp_path: Path) -> None:
    for name in ("inventory.yaml", "b.yaml", "c.yaml"):
        write(tmp_path / name, name[0])
    environ = {"LLMSTACK_INVENTORY": "b.yaml"}
    assert load("c.yaml", environ=environ, cwd=str(tmp_path)).stack == "c"
    assert load(None, environ=environ, cwd=str(tmp_path)).stack == "b"
    assert load(None, environ={"LLMSTACK_INVENTORY": ""}, cwd=str(tmp_path)).stack == "i"


def test_no_inventory_at_all_is_an_error_of_its_own(tmp_path: Path) -> None:
    error = refused(None, tmp_path)
    assert isinstance(error, NoInventoryError)
    assert str(tmp_path) in error.message


def test_two_inventories_in_one_folder_are_both_named(tmp_path: Path) -> None:
    write(tmp_path / "inventory.yaml")
    write(tmp_path / "inventory.yml")
    assert "inventory.yaml and inventory.yml" in refused(None, tmp_path).message


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert refused("folder", tmp_path).message == "the inventory folder is no regular file"
    (tmp_path / "folder" / "inventory.yml").touch()
    assert refused("folder", tmp_path).hint == f"did you mean '{tmp_path}/folder/inventory.yml'?"
    assert refused("pipe", tmp_path).message == "the inventory pipe is no regular file"
    assert refused("gone.yaml", tmp_path).message == "the inventory gone.yaml is not there"
    assert refused("dangling", tmp_path).message == "the inventory dangling is not there"
    assert refused("nul\0", tmp_path).message == "the inventory nul\0 is not there"
    assert refused("n" * 5000, tmp_path).message.endswith("File name too long")
    assert not isinstance(refused("gone.yaml", tmp_path), NoInventoryError)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refused("/proc/self/mem", tmp_path).message.endswith("cannot be read: Input/output error")


def test_a_file_of_more_than_10_mib_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "inventory.yaml").open("wb") as file:
        file.truncate(10 * 1024 * 1024 + 1)
    assert "larger than 10 MiB" in refused(None, tmp_path).message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_strangers_inventory_in_a_shared_folder_is_not_picked_up(tmp_path: Path) -> None:
    path = write(tmp_path / "shared" / "inventory.yaml")
    os.chown(path, 12345, -1)
    assert load(None, environ={}, cwd=str(path.parent)).stack == "here"
    path.parent.chmod(0o1777)
    assert "belongs to somebody else" in refused(None, path.parent).message
    assert load(str(path), environ={}, cwd="/").stack == "here"
