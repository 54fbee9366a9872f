"""The answer for a CI."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, fromstring

from llmstack.cli.junit import junit


def item(*rungs: tuple[str, bool | None, str], **more: Any) -> dict[str, Any]:
    told = [{"rung": rung, "ok": ok, "detail": detail, "ms": 1500} for rung, ok, detail in rungs]
    told = [{**one, "check": "What is it?"} if one["rung"] == "checked" else one for one in told]
    base = {"target": "demo@localhost", "status": "ok", "reason": "as wanted", "ms": 2000, "why": None, "error": None}
    return {**base, "rungs": told, **more}


def suites(*items: dict[str, Any], errors: tuple[dict[str, Any], ...] = ()) -> list[Element]:
    return list(fromstring(junit({"task": "health", "items": items, "errors": errors})))


ERROR = {"message": "it \x1b[31mbroke\x00", "hint": "mend it"}


def test_each_rung_is_a_case() -> None:
    (suite,) = suites(item(("api", True, ""), ("loaded", None, "on demand"), ("checked", True, "What is it?")))
    assert {**suite.attrib} == {
        "name": "demo@localhost", "time": "2.000", "tests": "3", "failures": "0", "skipped": "1"
    }  # fmt: skip
    assert [(case.get("name"), case.get("time")) for case in suite] == [
        ("api", "1.500"),
        ("loaded", "0.000"),
        ("checked: What is it?", "1.500"),
    ]
    assert [skipped.get("message") for skipped in suite.iter("skipped")] == ["on demand"]


def test_a_failed_rung_says_why_and_what_to_do_and_counts_once() -> None:
    why = {"summary": "out of memory", "meaning": "Too big."}
    (suite,) = suites(item(("api", True, ""), ("loaded", False, "failed"), why=why, error=ERROR))
    (failure,) = suite.iter("failure")
    assert (failure.get("message"), failure.text) == ("failed", "out of memory\nToo big.\nmend it")
    assert suite.get("failures") == "1"


def test_a_failed_check_has_the_name_of_the_passed_one_and_its_own_time() -> None:
    (suite,) = suites(item(("api", True, ""), ("checked", False, "What is it?: it answered 'no'"), error=ERROR))
    case = list(suite)[-1]
    assert (case.get("name"), case.get("time")) == ("checked: What is it?", "1.500")
    assert [failure.get("message") for failure in case] == ["What is it?: it answered 'no'"]


def test_what_has_no_rungs_has_its_outcome() -> None:
    kept, failed, skipped = suites(item(), item(error=ERROR, status="failed"), item(status="skipped"))
    assert [len(list(kept.iter(word))) for word in ("testcase", "failure", "skipped")] == [1, 0, 0]
    (failure,) = failed.iter("failure")
    assert failure.get("message") == "it broke"
    assert [one.get("message") for one in skipped.iter("skipped")] == ["as wanted"]


def test_what_failed_before_anything_was_looked_at_is_an_error() -> None:
    (suite,) = suites(errors=(ERROR,))
    (error,) = suite.iter("error")
    assert (suite.get("errors"), error.get("message"), error.text) == ("1", "it broke", "mend it")


def test_a_run_that_fails_has_its_code_and_its_failure_in_the_answer(both: Any) -> None:
    ran = both("up", "-m", "broken", "-o", "junit")
    assert ran.code == 6
    assert len(list(fromstring(ran.out).iter("failure"))) == 1


def test_a_task_that_works_on_no_targets_does_not_know_it(both: Any) -> None:
    assert both("status", "-o", "junit").code == 2
