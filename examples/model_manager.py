"""What the store knows, and a model that somebody else looks after: python examples/model_manager.py [STORE]."""

from __future__ import annotations

import sys

from llmstack import ModelManager
from llmstack.domain.instance import State
from llmstack.domain.stored import StoredModel
from llmstack.errors import LlmstackError


def main(store: str | None = None) -> None:
    """Bring the store in step, read it; note a model, change it, and forget it again."""
    with ModelManager(store) as manager:
        for difference in manager.sync_with_docker():
            print(f"{difference.target}: {difference.store}, but {difference.engine}: {difference.action}")
        for model in manager.get_active_models():
            print(f"{model.name} {model.installed_version} {model.url}")

        key = ("elsewhere", "by-hand", "mine")
        noted = manager.create_model(StoredModel(host=key[0], container_name=key[1], name=key[2], state=State.READY))
        manager.update_model_version("by-hand", "v2")
        manager.set_model_status("by-hand", "inactive")
        print(manager.get_model(*key))
        manager.update_model(noted)
        print(f"{len(manager.get_models())} models known, {manager.delete_model(*key)=}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except LlmstackError as error:
        sys.exit(f"{error.message}\n{error.hint or ''}")
