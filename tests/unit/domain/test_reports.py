"""What `status` and `sync` answer, and where mistakes are."""

from __future__ import annotations

import json
from dataclasses import replace

from llmstack.domain.instance import State
from llmstack.domain.ladder import Why
from llmstack.domain.names import NAME_PATTERN, nearest
from llmstack.domain.position import KEY, Position, locate, source_lines
from llmstack.domain.report import Difference, Fate, StatusReport, StatusRow, SyncReport
from llmstack.domain.service import Inventory, problem_at
from llmstack.errors import UnreachableError

ROW = StatusRow(model="llama3", service="ollama", host="gpu01", state=State.STOPPED, engine="docker")
NO_ROUTE = UnreachableError("gpu03: no route to host")


def test_a_row_is_called_by_its_model_and_a_companion_by_its_service():
    webui = StatusRow(model=None, service="webui", host="gpu01", state=State.READY, engine="docker")
    assert (str(ROW.target), str(webui.target)) == ("llama3@gpu01", "webui@gpu01")


def test_a_stopped_model_is_no_failure_but_a_host_that_cannot_be_asked_is():
    assert StatusReport(rows=(ROW,)).exit_code == 0
    assert StatusReport(rows=(ROW,), errors=(NO_ROUTE,)).exit_code == 4
    assert SyncReport(changed=3).exit_code == 0
    assert SyncReport(errors=(NO_ROUTE,)).exit_code == 4


def test_a_status_is_one_json_document():
    document = json.loads(json.dumps(StatusReport(rows=(ROW,), errors=(NO_ROUTE,), inventory="i.yaml").as_json()))
    assert (document["v"], document["kind"], document["rc"], document["inventory"]) == (1, "status", 4, "i.yaml")
    (item,) = document["items"]
    assert (item["target"], item["state"], item["cpu_percent"], item["ours"]) == ("llama3@gpu01", "stopped", None, True)
    assert document["errors"][0]["class"] == "unreachable"


def test_a_sync_is_one_json_document():
    one = Difference(target=ROW.target, store="active", engine="exited 137", action="recorded inactive")
    one = replace(one, reason=Fate.DIED)
    document = json.loads(json.dumps(SyncReport(differences=(one,), changed=1).as_json()))
    assert (document["kind"], document["changed"], document["rc"], document["errors"]) == ("sync", 1, 0, [])
    told = {"target": "llama3@gpu01", "store": "active", "engine": "exited 137", "action": "recorded inactive"}
    assert document["items"] == [{**told, "reason": "died"}]


def test_why_says_all_it_knows():
    assert Why(summary="gone", do="start it").as_json() == {
        "summary": "gone",
        "meaning": None,
        "do": "start it",
        "key": None,
        "log_line": None,
        "exit_code": None,
        "out_of_memory": None,
        "restarts": None,
        "last_lines": (),
    }


def at(line):
    return Position("i.yaml", line, 3)


POSITIONS = {
    ("models",): at(1),
    ("models", "demo"): at(2),
    ("models", "demo", KEY): at(3),
    ("models", "demo", "port"): at(4),
    ("models", "demo", "port", KEY): at(5),
}


def test_a_value_and_its_key_each_have_their_place():
    assert locate(POSITIONS, ("models", "demo", "port")) == at(4)
    assert locate(POSITIONS, ("models", "demo", "port"), key=True) == at(5)


def test_what_is_not_written_is_placed_at_the_nearest_thing_around_it():
    assert locate(POSITIONS, ("models", "demo", "options", "ctx")) == at(3)
    assert locate(POSITIONS, ("models", "other")) == at(1)
    assert locate(POSITIONS, ("services", "x")) is None


def test_lines_end_where_yaml_says():
    assert source_lines("a\r\nb\rc\u2028d\x85e\nf") == ["a", "b", "c", "d", "e", "f"]
    assert source_lines("a\x0bb\x0cc") == ["a\x0bb\x0cc"]


def inventory(**values):
    return Inventory(path="i.yaml", stack="lab", hosts={}, groups={}, placements=(), **values)


def test_a_problem_shows_its_line():
    wrong = problem_at(
        inventory(positions=POSITIONS, sources={"i.yaml": "a\nb\nc\n  port: x"}),
        ("models", "demo", "port"),
        "E1",
        "m",
        "f",
    )
    assert (wrong.position, wrong.source_line) == (at(4), "  port: x")


def test_a_problem_without_a_place_has_no_line():
    wrong = problem_at(inventory(), ("models", "demo"), "E1", "m", "try")
    assert (wrong.position, wrong.source_line, wrong.suggestion) == (None, None, "try")


def test_the_nearest_word_is_the_one_that_was_meant():
    assert nearest("lama3", ["llama3", "mistral"]) == "llama3"
    assert nearest("LLAMA3", ["llama3"]) == "llama3"
    assert nearest("whisper", ["llama3", "mistral"]) is None
    assert nearest("x" * 10_000, ["llama3"]) is None


def test_a_name_is_one_that_containers_may_have():
    assert all(NAME_PATTERN.fullmatch(name) for name in ("a", "qwen-7b_q4", "3d", "a" * 63))
    assert not any(NAME_PATTERN.fullmatch(name) for name in ("", "-a", "A", "a.b", "a b", "a\n", "a" * 64))
