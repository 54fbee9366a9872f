"""Links between services that run as processes: tried from this machine."""

from __future__ import annotations

from collections.abc import Callable

from tests.desk import Desk, free_port

TWO = """\
llmstack: 1
stack: cli
services:
  ollama: {{type: ollama, engine: process, port: {ours}}}
  second: {{type: ollama, engine: process, port: {theirs}, depends_on: [ollama]}}
"""


def test_a_link_between_processes_holds_as_long_as_the_other_listens(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(TWO.format(ours=free_port(), theirs=free_port()))
    desk.good("up")
    assert desk.good("health", "-o", "json").rungs("second")["linked"]["ok"] is True
    desk.good("down", "--service", "ollama")
    ran = desk.run("health", "--service", "second", "-o", "json")
    linked = ran.rungs("second")["linked"]
    assert (ran.code, linked["ok"], "onnection refused" in linked["detail"]) == (6, False, True)


def test_a_link_to_what_has_no_port_of_its_own_says_what_it_needs(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(TWO.format(ours="auto", theirs=free_port()))
    desk.good("up")
    linked = desk.good("health", "--service", "second", "-o", "json").rungs("second")["linked"]
    assert (linked["ok"], linked["detail"].endswith("give it one")) == (None, True)
