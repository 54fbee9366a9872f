"""Whatever ends a task is an error with its code, so that it can be told as text or as the one document."""

from __future__ import annotations

import pytest

from llmstack.cli.guard import guarded
from llmstack.errors import BugError, InterruptedRunError, LlmstackError, NoMatchError


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (KeyboardInterrupt(), InterruptedRunError, 130),
        (RuntimeError("out of luck"), BugError, 70),
        (NoMatchError("no"), NoMatchError, 5),
    ],
)
def test_what_ends_a_task_is_told_as_an_error_of_ours(
    raised: BaseException, kind: type[LlmstackError], code: int
) -> None:
    told: list[LlmstackError] = []

    def body() -> int:
        raise raised

    assert guarded(body, told.append) == code
    (error,) = told
    assert type(error) is kind
    assert error.as_json()["code"] == code
    assert error.hint or kind is NoMatchError
