"""docs/errors.md shows what the commands really say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.meta.source import ROOT

PAGE = ROOT / "docs" / "errors.md"
BLOCK = re.compile(r"^```\n\$ [^\n]+\n(.*?)^```$\n\nExit code (\d+)\.$", re.DOTALL | re.MULTILINE)
ADVICE = re.compile(r"\n {7}\S|\^+ \S|\n  do  |^No idea|duplicate key|should be")
"""A hint below, behind a caret or after "do"; Invoke's own words; or a message that leaves no question."""


def test_the_page_of_mistakes_is_what_the_commands_say(tmp_path: Path) -> None:
    now = tmp_path / "errors.md"
    subprocess.run([sys.executable, str(ROOT / "scripts" / "errors.py"), str(now)], check=True, timeout=100)
    assert now.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8"), "run `make errors`"


def test_every_mistake_is_answered_with_what_to_do() -> None:
    said = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(said) > 50
    assert [text for text, code in said if code in ("0", "70") or not ADVICE.search(text)] == []
