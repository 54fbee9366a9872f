"""The document of a run as JUnit's XML, which every CI shows: a suite for each target, a case for each rung."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from llmstack.domain.clean import block, clean

Record = Mapping[str, Any]
WORD = {False: "failure", None: "skipped"}


class _Case(NamedTuple):
    name: str
    ok: bool | None
    said: str
    ms: float


def junit(document: Record) -> str:
    """PURE: the whole document."""
    root = Element("testsuites", name=f"llmstack {document['task']}")
    for item in document["items"]:
        suite = SubElement(root, "testsuite", name=clean(item["target"]), time=_seconds(item["ms"]))
        cases = [_written(suite, item, case) for case in _cases(item)]
        counts = {word: sum(case.find(word) is not None for case in cases) for word in ("failure", "skipped")}
        for name, count in {"tests": len(cases), "failures": counts["failure"], "skipped": counts["skipped"]}.items():
            suite.set(name, str(count))
    for error in () if document["items"] else document["errors"]:
        suite = SubElement(root, "testsuite", name="llmstack", tests="1", failures="0", errors="1")
        case = SubElement(suite, "testcase", classname="llmstack", name=str(document["task"]))
        SubElement(case, "error", message=clean(error["message"])).text = clean(error["hint"] or "")
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(item: Record) -> Iterator[_Case]:
    passed_ms = 0.0
    for rung in item["rungs"]:
        name, took_ms = ": ".join(filter(None, (rung["rung"], rung.get("check")))), rung["ms"]
        if rung["rung"] not in ("checked", "linked") and "clock" not in rung:  # it counts from the start of the climb
            took_ms = max(0.0, took_ms - passed_ms)
        passed_ms += took_ms
        yield _Case(name, rung["ok"], rung["detail"], took_ms)
    if not any(rung["ok"] is False for rung in item["rungs"]):
        error, skipped = item["error"], item["status"] in ("skipped", "interrupted")
        if error or skipped or not item["rungs"]:
            said = error["message"] if error else item["reason"]
            yield _Case("outcome", False if error else None if skipped else True, said, item["ms"])


def _written(suite: Element, item: Record, case: _Case) -> Element:
    name, ms = clean(case.name), _seconds(case.ms)
    element = SubElement(suite, "testcase", classname=suite.get("name", ""), name=name, time=ms)
    if case.ok is not True:
        why, error = item["why"] or {}, item["error"] or {}
        hints = (why.get("summary"), why.get("meaning"), error.get("hint")) if case.ok is False else ()
        SubElement(element, WORD[case.ok], message=clean(case.said)).text = block("\n".join(filter(None, hints)))
    return element


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.3f}"
