"""The shell that the menu opens in a container, and how it waits for who reads."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmstack.cli.menu import _pause, _shell
from llmstack.domain.host import Host
from llmstack.domain.instance import State
from llmstack.domain.report import StatusRow
from llmstack.domain.stop import STOP
from llmstack.errors import PreflightError
from llmstack.ui.console import Console

ROW = StatusRow(
    model=None, service="web", host="gpu01", state=State.READY, engine="docker", container_name="llmstack-lab-web"
)


@dataclass
class Asked:
    """A session over one host."""

    host: Host

    def __post_init__(self) -> None:
        self.err = Console(sys.stderr, talk=True)

    @contextmanager
    def app(self) -> Iterator[Any]:
        yield SimpleNamespace(hosts=lambda _: ((self.host, ()),))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("address", "told"),
    [(None, ""), ("ssh://ops@gpu01", "--host ssh://ops@gpu01 ")],
)
def test_it_is_docker_that_opens_it_and_the_line_is_shown(
    programs: Path, capfd: pytest.CaptureFixture[str], address: str | None, told: str
) -> None:
    docker = programs / "docker"
    docker.write_text('#!/bin/sh\necho "ran: $*"\nexit 7\n')
    docker.chmod(0o755)
    _shell(Asked(Host(name="gpu01", docker_host=address)), ROW)  # type: ignore[arg-type]
    ran = capfd.readouterr()
    assert ran.out == f"ran: {told}exec -it llmstack-lab-web sh\n"
    assert ran.err == f"$ docker {told}exec -it llmstack-lab-web sh\n"


def test_without_the_program_the_package_is_named(programs: Path) -> None:
    assert list(programs.iterdir()) == []
    with pytest.raises(PreflightError) as caught:
        _shell(Asked(Host(name="gpu01")), ROW)  # type: ignore[arg-type]
    assert "docker-cli" in (caught.value.hint or "")


def test_ctrl_c_goes_back_as_soon_as_that_is_offered() -> None:
    class Pressed(io.StringIO):
        def write(self, text: str) -> int:
            STOP.set()
            raise KeyboardInterrupt

    _pause(SimpleNamespace(err=Console(Pressed(), talk=True, progress="tty")))  # type: ignore[arg-type]
    assert not STOP.is_set()
