"""Which versions the store remembers."""

from __future__ import annotations

from llmstack.domain.stored import StoredVersion
from llmstack.domain.target import Target, TargetKind

OLD = StoredVersion(target=Target("web", "gpu01"), source="reg/web:1", digest="reg/web@sha256:a", version="1.0")
NEW = StoredVersion(target=Target("web", "gpu01"), source="reg/web:1", digest="reg/web@sha256:b")


def test_the_version_that_was_proved_last_comes_first_with_its_times(store, clock):
    for version in (OLD, NEW, OLD):
        clock.now += 10
        store.proved(version)
    first, second = store.versions(OLD.target)
    assert (first.digest, first.version, first.installed_at, first.ready_at) == (OLD.digest, "1.0", 1010.0, 1030.0)
    assert (second.digest, second.version, second.installed_at, second.ready_at) == (NEW.digest, None, 1020.0, 1020.0)


def test_each_target_has_its_own(store):
    store.proved(OLD)
    for other in (Target("web", "gpu02"), Target("page", "gpu01"), Target("web", "gpu01", TargetKind.MODEL)):
        assert store.versions(other) == ()
