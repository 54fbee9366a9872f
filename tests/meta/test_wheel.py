"""The wheel carries everything: plugins, types, entry point."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import room
from tests.meta.source import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        str(ROOT),
    ]
    run = subprocess.run(build, env=dict(room.ORIGINAL), capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stderr
    return next(out.glob("llmstack-*.whl"))


def test_the_wheel_holds_plugins_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    plugins = {f"llmstack/_plugins/{path.name}" for path in (ROOT / "plugins").glob("*.py")}
    own = {str(path.relative_to(ROOT)) for path in (ROOT / "llmstack").rglob("*.*") if path.suffix != ".pyc"}
    assert plugins | own <= names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"llmstack"}


def test_an_installed_llmstack_finds_its_plugins(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import llmstack; from llmstack.modeltype.registry import Registry; registry = Registry();"
        "print(llmstack.__file__, *[registry.get(name).name for name in registry.names()])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": room.ORIGINAL["PATH"], "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    file, *names = run.stdout.split()
    assert Path(file).is_relative_to(tmp_path)
    assert names == sorted(path.stem.replace("_", "-") for path in (ROOT / "plugins").glob("[!_]*.py"))


def test_an_installed_llmstack_runs_as_a_program(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    run = subprocess.run(
        [sys.executable, "-c", "import sys; from llmstack.cli.program import main; sys.exit(main())", "--version"],
        cwd=tmp_path,
        env={"PATH": room.ORIGINAL["PATH"], "PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stdout.split()[0].lower()) == (0, "llmstack"), run.stderr
