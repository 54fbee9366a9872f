"""Two controllers, each with a home and a store of its own, run `up` on one engine at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from llmstack.engines.docker import DockerEngine
from tests.desk import DEADLINE_S, Desk
from tests.fault.conftest import Make
from tests.rig.host import RigHost
from tests.rig.kinds import KINDS

pytestmark = pytest.mark.docker

STACK = """\
llmstack: 1
stack: race
defaults: {{container: {{image: "{image}", args: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]}}}}
services:
  changes: {{type: container, env: {{TURN: "{turn}"}}}}
  stays: {{type: container}}
"""


class Race:
    """Two desks that want the same."""

    def __init__(self, make_desk: Make, rig: RigHost) -> None:
        self.rig, self.image = rig, rig.busybox()
        self.desks: list[Desk] = [make_desk(DOCKER_HOST=rig.address) for _ in range(2)]
        self.engine = DockerEngine("localhost", rig.address)

    def run(self, turn: int, *words: str) -> list[int]:
        """Both at once: their exit codes, once there is exactly what both want."""
        for desk in self.desks:
            desk.write(STACK.format(image=self.image, turn=turn))
        racers = [desk.start("up", "--no-wait", *words) for desk in self.desks]
        ends = [(racer.communicate(timeout=DEADLINE_S)[1], racer.returncode) for racer in racers]
        assert all(code in (0, 7) for _, code in ends), ends
        assert all("is locked by" in err for err, code in ends if code == 7), ends
        there = {one.container_name: one for one in self.engine.observe("race")}
        assert {row["Names"][0][1:] for row in self.rig.api.containers(all=True)} == set(there)
        assert {name: (one.running, one.spec and one.spec.env.get("TURN")) for name, one in there.items()} == {
            "llmstack-race-changes": (True, str(turn)),
            "llmstack-race-stays": (True, None),
        }
        return [code for _, code in ends]

    def empty(self) -> None:
        """Nothing runs."""
        for row in self.rig.api.containers(all=True):
            self.rig.api.remove_container(row["Id"], force=True)

    def rounds(self, number: int) -> None:
        """So many: every second one begins with nothing, the others with a change."""
        for turn in range(number):
            if turn % 2 == 0:
                self.empty()
            assert 0 in self.run(turn)


@pytest.fixture(params=["docker-28.5"])
def race(make_desk: Make, rig_of: Callable[[str], RigHost], request: pytest.FixtureRequest) -> Iterator[Race]:
    started = Race(make_desk, rig_of(request.param))
    yield started
    started.engine.close()


def test_one_does_it_and_the_other_does_nothing_or_finds_it_locked(race: Race) -> None:
    race.rounds(4)


@pytest.mark.slow
@pytest.mark.parametrize("race", list(KINDS), indirect=True)
def test_twenty_times_at_the_same_moment(race: Race) -> None:
    race.rounds(20)


def test_who_waits_for_the_lock_finds_all_done(race: Race) -> None:
    for turn in range(2):
        assert race.run(turn, "--lock-wait", "60") == [0, 0]
