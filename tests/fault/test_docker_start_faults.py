"""Starts on Docker that cannot succeed, and containers that fail."""

from __future__ import annotations

import os
import socket

import pytest

from tests.desk import Desk, until
from tests.fault.conftest import Make
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
WEB = """\
llmstack: 1
stack: faults
services:
  web:
    type: container
    image: "{image}"
    args: {args}
    port: PORT
    restart: "{restart}"
    options: {{container_port: 80}}
"""
SERVES = '[sh, -c, "mkdir -p /w; echo ok > /w/index.html; exec httpd -f -p 80 -h /w"]'


def desk_of(make_desk: Make, rig: RigHost, args: str = SERVES, restart: str = "no", image: str | None = None) -> Desk:
    text = WEB.format(image=image or rig.busybox(), args=args, restart=restart)
    return make_desk(text, DOCKER_HOST=rig.address)


def running(rig: RigHost) -> list[str]:
    return [name for row in rig.api.containers() for name in row["Names"]]


def test_an_image_that_is_nowhere_is_told_and_nothing_is_made(make_desk: Make, in_rig: RigHost) -> None:
    desk = desk_of(make_desk, in_rig, image="127.0.0.1:9/none/such:1")
    ran = desk.run("up", "-o", "json")
    assert ran.code == 10, ran.err
    assert "127.0.0.1:9/none/such:1" in ran.err
    assert ran.item("web")["error"]["hint"]
    assert in_rig.api.containers(all=True) == []


def test_a_port_that_a_container_holds_is_told_with_its_name(make_desk: Make, in_rig: RigHost) -> None:
    desk = desk_of(make_desk, in_rig)
    bindings = in_rig.api.create_host_config(port_bindings={80: ("127.0.0.1", desk.port)})
    other = in_rig.api.create_container(
        in_rig.busybox(), command=["sleep", "3600"], ports=[80], host_config=bindings, name="neighbour"
    )
    in_rig.api.start(other["Id"])
    ran = desk.run("up")
    assert ran.code == 9
    assert f"port {desk.port} on 127.0.0.1 is taken by neighbour" in ran.err
    assert running(in_rig) == ["/neighbour"]
    assert len(in_rig.api.containers(all=True)) == 1


def test_a_port_that_a_process_holds_is_told_with_its_holder(make_desk: Make, in_rig: RigHost) -> None:
    desk = desk_of(make_desk, in_rig)
    with socket.create_server(("127.0.0.1", desk.port)):
        ran = desk.run("up")
    assert ran.code == 9
    assert f"port {desk.port} on 127.0.0.1 is taken by" in ran.err
    assert f"(pid {os.getpid()})" in ran.err
    assert in_rig.api.containers(all=True) == []


def test_a_container_that_ends_while_it_starts_says_why_and_goes_round_no_more(
    make_desk: Make, in_rig: RigHost
) -> None:
    ends = '[sh, -c, "echo begun; echo fatal: no room for the cache; exit 3"]'
    desk = desk_of(make_desk, in_rig, ends, restart="unless-stopped")
    ran = desk.run("up", "-o", "json")
    assert ran.code == 6, ran.err
    why = ran.item("web")["why"]
    assert why["summary"] == "fatal: no room for the cache"
    assert why["log_line"] == 2
    assert "logs --service web" in ran.err
    assert running(in_rig) == []
    assert "no room for the cache" in desk.good("logs", "-s", "web").out


def test_a_container_that_never_answers_is_given_up_and_stopped(make_desk: Make, in_rig: RigHost) -> None:
    desk = desk_of(make_desk, in_rig, '[sleep, "3600"]')
    desk.write((desk.folder / "inventory.yaml").read_text(encoding="utf-8") + "    ready_timeout_s: 2\n")
    ran = desk.run("up", "-o", "json")
    assert ran.code == 6
    assert "not ready within" in ran.item("web")["why"]["summary"]
    assert running(in_rig) == []


def test_a_program_that_is_not_in_the_image_is_told_and_nothing_stays(make_desk: Make, in_rig: RigHost) -> None:
    ran = desk_of(make_desk, in_rig, "[no-such-program]").run("up")
    assert ran.code == 6, ran.err
    assert "no-such-program" in ran.err
    assert running(in_rig) == []


def test_a_failed_change_leaves_the_old_one_running(make_desk: Make, in_rig: RigHost) -> None:
    desk = desk_of(make_desk, in_rig)
    desk.good("up")
    before = in_rig.api.inspect_container("llmstack-faults-web")["Id"]
    ends = "[sh, -c, 'seq 20; printf \"\\\\033[31modd: %s\\\\n\" $HUSH; exit 4']"
    text = WEB.format(image=in_rig.busybox(), args=ends, restart="no")
    desk.write(text + "    env: {HUSH: {from: env, name: HUSH}}\n")
    desk.env["HUSH"] = "abracadabra"
    ran = desk.run("up", "-o", "json")
    assert ran.code == 6
    assert ran.item("web")["error"]["message"].endswith("crashed, exit 4; the old one is back and ready")
    assert ran.item("web")["why"]["exit_code"] == 4
    assert in_rig.api.inspect_container("llmstack-faults-web")["Id"] == before
    told = desk.good("history", "--run", ran.json["run"]).out
    assert ran.item("web")["why"]["do"] == ran.item("web")["error"]["hint"]
    for shown in (ran.err, told):
        assert "exit 4" in shown
        assert "change web in the inventory" in shown
        assert "llmstack logs" not in shown
        assert "  log   12\n" in shown
        assert "        odd: ...\n" in shown
    assert running(in_rig) == ["/llmstack-faults-web"]
    assert desk.good("health").code == 0


def test_two_ups_at_the_same_moment_make_one(make_desk: Make, in_rig: RigHost) -> None:
    desk = desk_of(make_desk, in_rig)
    racers = [desk.start("up") for _ in range(3)]
    ends = [(racer.communicate(timeout=100)[1], racer.returncode) for racer in racers]
    assert 0 in [code for _, code in ends]
    assert {code for _, code in ends} <= {0, 7}, ends
    assert all("is locked by" in err for err, code in ends if code == 7)
    assert running(in_rig) == ["/llmstack-faults-web"]
    assert len(in_rig.api.containers(all=True)) == 1


def test_a_stopped_run_leaves_no_container(make_desk: Make, in_rig: RigHost) -> None:
    desk = desk_of(make_desk, in_rig, '[sh, -c, "exec sleep 3600"]')
    with desk.start("up") as process:
        until(lambda: running(in_rig))
        process.send_signal(2)
        process.communicate(timeout=100)
    assert process.returncode == 130
    assert in_rig.api.containers(all=True) == []
    assert in_rig.api.networks(filters={"type": "custom"}) == []


def test_the_name_of_a_foreign_container_is_not_taken_over(make_desk: Make, in_rig: RigHost) -> None:
    desk = desk_of(make_desk, in_rig)
    made = in_rig.api.create_container(in_rig.busybox(), command=["true"], name="llmstack-faults-web")
    ran = desk.run("up")
    assert ran.code != 0
    assert "llmstack-faults-web" in ran.err
    assert [row["Id"] for row in in_rig.api.containers(all=True)] == [made["Id"]]
