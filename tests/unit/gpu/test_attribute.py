"""Control groups as kernels and engines write them."""

from __future__ import annotations

import pytest

from llmstack.gpu.attribute import container_ids, owners

A, B = "a1" * 32, "0f" * 32

FORMS = {
    "docker, cgroup v1": f"12:memory:/docker/{A}\n1:name=systemd:/docker/{A}\n0::/\n",
    "docker, cgroup v1, first controller elsewhere": f"9:rdma:/\n8:pids:/docker/{A}\n",
    "docker, systemd driver": f"0::/system.slice/docker-{A}.scope\n",
    "docker, cgroupfs driver on v2": f"0::/docker/{A}\n",
    "docker, own parent": f"0::/custom.slice/docker-{A}.scope/init\n",
    "docker, rootless": f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope\n",
    "podman": f"0::/machine.slice/libpod-{A}.scope/container\n",
    "podman, rootless": f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope\n",
    "podman, cgroupfs": f"0::/libpod_parent/libpod-{A}\n",
    "kubernetes, systemd": (
        "0::/kubepods.slice/kubepods-burstable.slice/"
        f"kubepods-burstable-pod8a5d2b3e_7c1f_4a.slice/cri-containerd-{A}.scope\n"
    ),
    "kubernetes, cgroupfs": f"4:memory:/kubepods/besteffort/pod8a5d2b3e-7c1f-4a/{A}\n",
    "kubernetes, containerd without systemd": f"0::/system.slice/containerd.service/kubepods-pod1:cri-containerd:{A}\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_container_is_known_by_its_id(form):
    assert container_ids(FORMS[form]) == (A,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0::/\n",
        "0::/user.slice/user-1000.slice/session-3.scope\n",
        f"0::/machine.slice/libpod-conmon-{A}.scope\n",
        f"0::/docker/{A[:-1]}\n",
        f"0::/docker/{A}0\n",
        "0::/docker/" + "g" * 64,
        "no cgroup text at all",
    ],
)
def test_a_process_of_the_host_has_none(text):
    assert container_ids(text) == ()


def test_a_container_in_a_container_has_both_outermost_first():
    assert container_ids(f"0::/docker/{A}/docker/{B}\n") == (A, B)


def test_the_innermost_container_that_the_engine_knows_owns_a_process():
    cgroups = {1: f"0::/docker/{A}/docker/{B}\n", 2: "0::/init.scope\n", 3: f"0::/docker/{B}\n"}
    assert owners(cgroups, {A}) == {1: A, 2: None, 3: None}
    assert owners(cgroups, {A, B}) == {1: B, 2: None, 3: B}
