"""PURE: which copy of a volume is mounted, which comes next, which go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.core.generations import copied, in_force, next_after, superseded
from llmstack.domain.instance import InstanceSpec, Mount
from llmstack.errors import PreflightError


def spec(*sources: str, copies: str = "") -> InstanceSpec:
    mounts = tuple(Mount(source=source, target=f"/{source}", volume=True) for source in sources)
    made = InstanceSpec(stack="lab", service="web", host="h", type="t", engine="docker", mounts=mounts)
    return made.with_decided(volumes=copies) if copies else made


def made(*names: str) -> dict[str, str]:
    """For the one service of these tests."""
    return dict.fromkeys(names, "web")


def after(wanted: InstanceSpec, there: list[str], old: InstanceSpec) -> list[str]:
    return names(next_after(in_force(wanted, made(*there), old), there, old))


def names(found: InstanceSpec) -> list[str]:
    return [found.volume_name(mount) for mount in found.volumes]


def test_what_was_never_copied_has_its_own_name_and_nothing_is_written_down() -> None:
    assert in_force(spec("data"), {}) == spec("data")
    assert in_force(spec("data"), made("data", "other.3")) == spec("data")


def test_a_copy_that_is_all_there_is_is_mounted_again() -> None:
    assert names(in_force(spec("data", "cache"), made("data.3", "cache"))) == ["data.3", "cache"]


def test_two_without_an_instance_to_tell_are_refused_by_name() -> None:
    with pytest.raises(
        PreflightError, match=r"web@h is to mount volume data, .* more than one of it: data\.2, data\.10"
    ) as raised:
        in_force(spec("data"), made("data.10", "data.2"))
    assert raised.value.hint
    assert "data.10 may be half a copy" in raised.value.hint


def test_the_old_instance_tells_which_one_counts() -> None:
    old = spec("data", copies="data.2")
    assert names(in_force(spec("data"), made("data.2", "data.3", "data"), old)) == ["data.2"]
    assert names(in_force(spec("data"), made("data", "data.1"), spec("data"))) == ["data"]


def test_the_next_copy_is_newer_than_all_there_are() -> None:
    assert after(spec("data"), [], spec("data")) == ["data.1"]
    assert after(spec("data"), ["data.2"], spec("data", copies="data.2")) == ["data.3"]
    assert after(spec("data"), ["data", "data.7"], spec("data", copies="data.2")) == ["data.8"]


def test_a_volume_that_the_old_one_did_not_mount_is_not_copied() -> None:
    assert after(spec("data", "new"), ["data"], spec("data")) == ["data.1", "new"]
    assert after(spec("other"), ["data", "other.4"], spec("data")) == ["other.4"]


def test_all_but_what_is_mounted_is_superseded_and_what_is_another_volume_is_not() -> None:
    there = made("data", "data.1", "data.2", "data.x", "data.1.1", "database.1", "cache.1")
    assert superseded(spec("data", copies="data.2"), there) == ("data", "data.1")
    assert superseded(spec("data"), there) == ("data.1", "data.2")
    assert superseded(spec("data", "data.1"), there) == ("data.2", "data.1.1")


def test_what_was_made_for_another_service_goes_only_after_a_copy_of_it() -> None:
    there = {"data": "other", "data.2": "before", "data.3": "web"}
    now, old = spec("data", copies="data.3"), spec("data", copies="data.2")
    assert superseded(now, there) == ()
    assert superseded(now, there, old) == ("data.2",)


def other(copies: str = "") -> InstanceSpec:
    return replace(spec("data", copies=copies), service="other")


def test_a_volume_is_for_all_of_a_stack_what_it_is_for_the_one_that_mounts_it() -> None:
    assert names(in_force(spec("data"), {"data.2": "other"}, None, [other("data.2")])) == ["data.2"]
    assert names(in_force(spec("data"), {"data": "third", "data.2": "other"}, None, [other("data.2")])) == ["data.2"]
    assert names(in_force(spec("data"), {"data.2": "other", "data.5": "third"}, None, [other()])) == ["data"]
    reader = replace(other(), mounts=(Mount(source="data", target="/d", volume=True, read_only=True),))
    assert reader.with_decided(volumes="data.2") == in_force(reader, {}, None, [spec("data", copies="data.2")])


def test_without_an_instance_it_is_the_one_that_any_service_left() -> None:
    assert names(in_force(spec("data"), {"data.2": "gone", "cache": "gone"})) == ["data.2"]


@pytest.mark.parametrize(
    ("there", "others"),
    [
        ({"data": "gone", "data.2": "other"}, []),
        ({"data": "third", "data.2": "other"}, [other(), other("data.2")]),
        ({"data": "web", "data.2": "other"}, [other("data.2")]),
    ],
)
def test_two_volumes_of_one_name_are_refused_with_both(there: dict[str, str], others: list[InstanceSpec]) -> None:
    with pytest.raises(PreflightError, match=r"volume data, .* data, data\.2"):
        in_force(spec("data"), there, None, others)


def test_something_is_copied_when_a_volume_of_both_differs() -> None:
    assert not copied(spec("data"), spec("data"))
    assert not copied(spec("new"), spec("data", copies="data.1"))
    assert copied(spec("new", "data", copies="data.2"), spec("data", copies="data.1"))
