"""What the containers of a stack tell of runs that died."""

from __future__ import annotations

import pytest

from llmstack.engines import holder
from llmstack.engines.docker.stacklock import HOLDER, is_litter
from llmstack.engines.labels import LOCK, PUT, ROLE, SERVE

ALIVE = holder.me()
DEAD = f"{ALIVE.split()[0]} 4000000 1.0"
ELSEWHERE = "another-machine 1 1.0"


@pytest.mark.parametrize(
    ("roles", "holders", "litter"),
    [
        ((), (), False),
        ((SERVE, SERVE), (), False),
        ((SERVE, PUT), (), True),
        ((PUT,), (ALIVE,), False),
        ((), (ELSEWHERE,), False),
        ((SERVE,), (DEAD,), True),
    ],
)
def test_a_run_that_died_is_told_by_its_lock_or_by_what_no_lock_guards(
    roles: tuple[str, ...], holders: tuple[str, ...], litter: bool
) -> None:
    labels = [{ROLE: role} for role in roles] + [{ROLE: LOCK, HOLDER: each} for each in holders]
    assert is_litter({"Labels": each} for each in labels) is litter
