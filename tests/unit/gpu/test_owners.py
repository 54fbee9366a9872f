"""Whose a process is, by its cgroup."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from llmstack.domain.gpu import Owner
from llmstack.gpu.owners import owner_of

ID, OUTER = "573bc32f5b89b42989e9a1ce0b3ee979a49ec07dc9af4f58ba59b83523c74b98", "a" * 64


@pytest.mark.parametrize(
    ("cgroup", "found"),
    [
        (f"12:cpu,cpuacct:/docker/{ID}\n0::/\n", ID),
        (f"0::/system.slice/docker-{ID}.scope\n", ID),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", ID),
        (f"0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-{ID}.scope\n", ID),
        (f"3:memory:/docker/{OUTER}/docker/{ID}\n0::/docker/{OUTER}\n", ID),
        ("0::/user.slice/user-1000.slice/session-2.scope\n", None),
        (f"0::/build-{ID}0\n", None),
    ],
)
def test_a_container_is_known_by_its_cgroup(tmp_path: Path, cgroup: str, found: str | None) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "cgroup").write_text(cgroup)
    (tmp_path / "42" / "comm").write_text("ollama\n")
    assert owner_of(42, tmp_path) == Owner(found, "ollama")


def test_a_process_that_ended_is_nobodys(tmp_path: Path) -> None:
    assert owner_of(42, tmp_path) == Owner()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_our_own_process_is_a_program() -> None:
    assert owner_of(os.getpid()).program
