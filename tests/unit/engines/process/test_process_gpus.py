"""A process sees the GPUs that it was given."""

from __future__ import annotations

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.domain.resources import Resources
from llmstack.engines.process.launch import launch_of


@pytest.mark.parametrize(
    ("gpus", "decided", "seen"),
    [
        ((), {}, None),
        (("all",), {}, None),
        (("2",), {}, "0,1"),
        (("0",), {}, "0"),
        (("GPU-a", "GPU-b"), {}, "GPU-a,GPU-b"),
        (("auto",), {"gpus": "GPU-c"}, "GPU-c"),
        (("auto",), {"gpus": ""}, None),
    ],
)
def test_a_cuda_program_is_shown_no_others(gpus: tuple[str, ...], decided: dict[str, str], seen: str | None) -> None:
    spec = InstanceSpec(
        stack="lab",
        service="demo",
        host="localhost",
        type="t",
        engine="process",
        program=("python",),
        resources=Resources(gpus=gpus),
        decided=decided,
    )
    assert launch_of(spec, "id", {})["env"].get("CUDA_VISIBLE_DEVICES") == seen
