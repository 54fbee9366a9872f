"""PURE: which copy of a volume is mounted, which comes next, which go."""

from __future__ import annotations

import pytest

from llmstack.core.generations import copied, in_force, next_after, superseded
from llmstack.domain.instance import InstanceSpec, Mount
from llmstack.errors import PreflightError


def spec(*sources: str, copies: str = "") -> InstanceSpec:
    mounts = tuple(Mount(source=source, target=f"/{source}", volume=True) for source in sources)
    made = InstanceSpec(stack="lab", service="web", host="h", type="t", engine="docker", mounts=mounts)
    return made.with_decided(volumes=copies) if copies else made


def names(found: InstanceSpec) -> list[str]:
    return [found.volume_name(mount) for mount in found.volumes]


def test_what_was_never_copied_has_its_own_name_and_nothing_is_written_down() -> None:
    assert in_force(spec("data"), []) == spec("data")
    assert in_force(spec("data"), ["data", "other.3"]) == spec("data")


def test_a_copy_that_is_all_there_is_is_mounted_again() -> None:
    assert names(in_force(spec("data", "cache"), ["data.3", "cache"])) == ["data.3", "cache"]


def test_two_without_an_instance_to_tell_are_refused_by_name() -> None:
    with pytest.raises(PreflightError, match=r"web@h has more than one volume of data.*: data\.2, data\.10") as raised:
        in_force(spec("data"), ["data.10", "data.2"])
    assert raised.value.hint
    assert "docker volume rm data.10" in raised.value.hint


def test_the_old_instance_tells_which_one_counts() -> None:
    old = spec("data", copies="data.2")
    assert names(in_force(spec("data"), ["data.2", "data.3", "data"], old)) == ["data.2"]
    assert names(in_force(spec("data"), ["data", "data.1"], spec("data"))) == ["data"]


def test_the_next_copy_is_newer_than_all_there_are() -> None:
    assert names(next_after(spec("data"), [], spec("data"))) == ["data.1"]
    assert names(next_after(spec("data"), ["data.2"], spec("data", copies="data.2"))) == ["data.3"]
    assert names(next_after(spec("data"), ["data", "data.7"], spec("data", copies="data.2"))) == ["data.8"]


def test_a_volume_that_the_old_one_did_not_mount_is_not_copied() -> None:
    assert names(next_after(spec("data", "new"), ["data"], spec("data"))) == ["data.1", "new"]
    assert names(next_after(spec("other"), ["data", "other.4"], spec("data"))) == ["other.4"]


def test_all_but_what_is_mounted_is_superseded_and_what_is_another_volume_is_not() -> None:
    there = ["data", "data.1", "data.2", "data.x", "data.1.1", "database.1", "cache.1"]
    assert superseded(spec("data", copies="data.2"), there) == ("data", "data.1")
    assert superseded(spec("data"), there) == ("data.1", "data.2")
    assert superseded(spec("data", "data.1"), there) == ("data.2", "data.1.1")


def test_something_is_copied_when_a_volume_of_both_differs() -> None:
    assert not copied(spec("data"), spec("data"))
    assert not copied(spec("new"), spec("data", copies="data.1"))
    assert copied(spec("new", "data", copies="data.2"), spec("data", copies="data.1"))
