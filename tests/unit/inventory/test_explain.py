"""Which values are told with their places, and which are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstack.domain.position import Position
from llmstack.inventory import Explainer


def explained(folder: Path, host: str) -> dict[str, object]:
    (folder / "inventory.yaml").write_text(f"llmstack: 1\nall: {{hosts: {{h: {host}}}}}\n", encoding="utf-8")
    source = Explainer(None, environ={"A": "a", "DB_TOKEN": "hush"}, cwd=str(folder))
    source.load()
    return {setting.key: setting.value for setting in source.host("h")}


@pytest.mark.parametrize(
    "name", ["ansible_password", "ansible_ssh_pass", "API_KEY", "apikey", "HF_TOKEN", "token", "client_secret"]
)
def test_what_is_called_like_a_secret_is_kept(tmp_path: Path, name: str) -> None:
    assert explained(tmp_path, f"{{{name}: hush}}") == {name: "(hidden)"}


@pytest.mark.parametrize("name", ["max_tokens", "passage", "ssh_key_file", "keep_alive", "tokenizer"])
def test_what_only_looks_like_one_is_shown(tmp_path: Path, name: str) -> None:
    assert explained(tmp_path, f"{{{name}: seen}}") == {name: "seen"}


def test_a_value_that_a_secret_of_the_environment_fills_is_kept(tmp_path: Path) -> None:
    assert explained(tmp_path, "{ansible_host: 'db.${env:DB_TOKEN}', ansible_user: 'x${env:A}'}") == {
        "ansible_host": "(hidden)",
        "ansible_user": "xa",
    }


def test_variables_that_fill_variables_are_all_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DOMAIN=lab\n", encoding="utf-8")
    (tmp_path / "inventory.yaml").write_text(
        "llmstack: 1\nall:\n  vars:\n    zone: '${env:DOMAIN}'\n    ansible_host: '${inventory_hostname}.${zone}'\n"
        "  hosts: {h: }\n",
        encoding="utf-8",
    )
    source = Explainer(None, environ={}, cwd=str(tmp_path))
    (_, address) = source.host("h")
    assert (address.value, str(address.at)) == ("h.lab", "inventory.yaml:5:19")
    assert address.via == (
        ("zone", Position("inventory.yaml", 4, 11, 26)),
        ("env:DOMAIN", Position(".env", 1, 1)),
    )
