"""What lies in the root of the engine at last, and that only what is ours goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.domain.leftover import Leftover, LeftoverKind
from llmstack.engines.process.engine import ProcessEngine
from llmstack.errors import PreflightError


def discard_all(engine: ProcessEngine, stack: str | None = None) -> None:
    for each in engine.leftovers(stack):
        engine.discard(each)


def test_instances_locks_drafts_and_the_root_itself_go(
    engine: ProcessEngine, root: Path, make: Callable[..., InstanceSpec]
) -> None:
    spec = make()
    engine.create(spec)
    with engine.lock(spec.stack, "anna", 60):
        pass
    (root / ".new-killed").mkdir()
    (root / ".new-killed" / "labels.json").write_text("{}")
    found = engine.leftovers(None)
    assert [each.what for each in found] == [f"instance of {spec.service}", "lock", "folder of the process engine"]
    assert found[0].size_bytes
    assert [each.stack for each in found] == [spec.stack, spec.stack, None]
    discard_all(engine)
    assert not root.exists()
    assert engine.leftovers(None) == ()
    discard_all(engine)


def test_only_one_stack_is_asked_for(engine: ProcessEngine, root: Path, make: Callable[..., InstanceSpec]) -> None:
    engine.create(make(stack="lab"))
    engine.create(make(stack="other"))
    with engine.lock("other", "anna", 60):
        pass
    discard_all(engine, "lab")
    assert [each.stack for each in engine.leftovers(None)] == ["other", "other", None]
    assert root.exists()


def test_files_of_somebody_else_stay_and_keep_the_root(engine: ProcessEngine, root: Path) -> None:
    (root / "mine").mkdir(parents=True)
    (root / "notes.txt").write_text("mine")
    elsewhere = root.parent / "elsewhere.lock"
    elsewhere.touch()
    engine.discard(Leftover(kind=LeftoverKind.FILE, name=str(elsewhere), what="lock"))
    engine.discard(Leftover(kind=LeftoverKind.FOLDER, name=str(root), what="root"))
    assert elsewhere.exists()
    assert (root / "notes.txt").exists()


def test_a_process_has_no_volumes_and_says_so(engine: ProcessEngine, make: Callable[..., InstanceSpec]) -> None:
    assert engine.volumes("lab") == {}
    for verb in (
        lambda: engine.read_volumes("web"),
        lambda: engine.write_volumes("web", []),
        lambda: engine.copy_volumes("web", make(), lambda _: None),
    ):
        with pytest.raises(PreflightError, match="web is a process and has no volumes"):
            verb()
