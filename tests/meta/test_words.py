"""The repository speaks of the product alone: no machine's paths, no mirrors, nothing unfinished."""

from __future__ import annotations

import re
import subprocess

from tests.meta.source import ROOT

FORBIDDEN = {
    "a path of somebody's machine": r"(?<![\w.~{}])/(home|Users)/[a-z.]\w*/",
    "a package mirror": r"--(extra-)?index-ur[l]|PIP_INDEX_UR[L]|(?<!\w)index-ur[l]\s*=",
    "something unfinished": r"\b(TOD[O]|FIXM[E]|XX[X])\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KE[Y]-----",
    "a token": r"\b(hf_[A-Za-z0-9]{30,}|ghp_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9]{40,})\b",
}
ELSEWHERE = {"a path of somebody's machine": ("tests/",)}
"""Where a word is fine all the same: tests make up machines."""
RECORDED = "tests/recordings/"


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def text_of(name: str) -> str:
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_forbidden_word_in_any_tracked_file() -> None:
    found = [
        f"{name}:{text_of(name)[: match.start()].count(chr(10)) + 1}: {what}: {match.group()}"
        for name in tracked()
        if not name.startswith(RECORDED)
        for what, pattern in FORBIDDEN.items()
        if not name.startswith(ELSEWHERE.get(what, ()))
        for match in re.finditer(pattern, text_of(name))
    ]
    assert found == []


def test_no_tracked_file_is_large() -> None:
    assert {name for name in tracked() if (ROOT / name).stat().st_size > 1_000_000} == set()
