"""Each row of the table of exit codes, through both doors."""

from __future__ import annotations

import pytest

from llmstack.errors import exit_codes

ROWS = {
    0: ["up", "-m", "a"],
    1: ["up", "-m", "raise-LlmstackError"],
    2: ["up", "--forks", "many"],
    3: ["up", "-m", "bad"],
    4: ["up", "-m", "away"],
    5: ["up", "-m", "unknown"],
    6: ["up", "-m", "broken"],
    7: ["up", "-m", "raise-LockedError"],
    8: ["up", "--check", "--exit-code"],
    9: ["up", "-m", "raise-PreflightError"],
    10: ["up", "-m", "raise-FetchError"],
    11: ["up", "-m", "raise-StoreError"],
    12: ["rm", "-m", "a"],
    13: ["up", "-m", "raise-PluginError"],
    70: ["up", "-m", "raise-ValueError"],
    124: ["up", "-m", "raise-DeadlineError"],
    130: ["up", "-m", "raise-KeyboardInterrupt"],
    141: ["status", "-m", "raise-BrokenPipeError"],
    143: ["up", "-m", "raise-SIGTERM"],
}


@pytest.fixture(autouse=True)
def private_state(tmp_path, monkeypatch):
    """Where the details of a mistake of ours go."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_every_row_has_a_test():
    assert set(ROWS) == set(exit_codes())


@pytest.mark.parametrize("code", ROWS)
def test_a_run_ends_with_the_code_of_what_happened_and_says_it_in_json_too(both, code):
    ran = both(*ROWS[code], "-o", "json")
    assert ran.code == code
    if code == 141:
        assert ran.out == ""
        return
    assert ran.json["rc"] == code
    words = {error["class"] for error in ran.json["errors"]}
    assert words == (set() if code in (0, 8) else {exit_codes()[code]})
