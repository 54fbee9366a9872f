"""The machine as it was before the clean room: what tests may take from it, and what they must not see."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ORIGINAL: Mapping[str, str] = dict(os.environ)
IN_CI = ORIGINAL.get("CI", "").lower() in ("1", "true", "yes")

BUDGET_S = {"unit": 180, "contract": 120, "cli": 300, "integration": 300, "e2e": 300, "fault": 300, "meta": 60}
"""Seconds that each suite may take on 2 cores, summed over its tests; CONTRIBUTING.md says the same."""

PREFIXES = ("LLMSTACK_", "DOCKER_", "COMPOSE_", "INVOKE_", "OLLAMA_", "HF_", "HUGGING_FACE_", "VLLM_", "LLAMA_", "XDG_")
NAMES = (
    *("CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "SSH_AUTH_SOCK"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "MAKE_TERMOUT", "MAKE_TERMERR"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
)


def foreign(name: str) -> bool:
    """Whether a variable would change how llmstack behaves; `LLMSTACK_TEST_*` speaks to the tests and stays."""
    return name in NAMES or (name.startswith(PREFIXES) and not name.startswith("LLMSTACK_TEST_"))


def cache_dir() -> Path:
    """Where built images and the like are kept between runs; real, not of the clean room."""
    base = ORIGINAL.get("XDG_CACHE_HOME") or Path(ORIGINAL.get("HOME") or Path.home()) / ".cache"
    return Path(ORIGINAL.get("LLMSTACK_TEST_CACHE") or Path(base) / "llmstack-tests")


def unmeasured(env: Mapping[str, str]) -> dict[str, str]:
    """The same without coverage. Needed where a signal raises in the process: in the midst of coverage's bookkeeping,
    it leaves the lock of the data taken, and the process hangs."""
    return {name: value for name, value in env.items() if not name.startswith(("COVERAGE_", "COV_CORE_"))}


def docker_host() -> str | None:
    """The engine the user's own docker speaks to; None is the default socket."""
    return ORIGINAL.get("DOCKER_HOST")


def private(root: Path) -> dict[str, str]:
    """Home, data directories, store and engine state below `root`, which is created with mode 0700."""
    places = {
        "HOME": "home",
        "XDG_CONFIG_HOME": "config",
        "XDG_DATA_HOME": "data",
        "XDG_STATE_HOME": "state",
        "XDG_CACHE_HOME": "cache",
        "XDG_RUNTIME_DIR": "run",
        "DOCKER_CONFIG": "docker",
        "LLMSTACK_PROCESS_ROOT": "processes",
    }
    for place in places.values():
        (root / place).mkdir(mode=0o700, parents=True)
    return {name: str(root / place) for name, place in places.items()} | {"LLMSTACK_STORE": str(root / "store.db")}
