"""A run that was killed holds nothing up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from llmstack.engines.docker import DockerEngine
from llmstack.errors import LockedError
from tests.rig.host import RigHost

HOLD = """
import sys, time
from llmstack.engines.docker import DockerEngine
with DockerEngine("localhost", sys.argv[1]).lock("lab", "anna@here up", 3600):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.docker
def test_the_lock_of_a_killed_run_is_taken_over_and_that_of_a_living_one_is_not(rig: RigHost) -> None:
    engine = DockerEngine("localhost", rig.address)
    with subprocess.Popen([sys.executable, "-c", HOLD, rig.address], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match="anna@here up"), engine.lock("lab", "bert@here up", 60):
            pass
        other.kill()
    with engine.lock("lab", "bert@here up", 60), pytest.raises(LockedError, match="bert"):
        engine.lock("lab", "carl@here up", 60).__enter__()
    engine.close()
