"""What keeps an answer from being written."""

from __future__ import annotations

import errno
import os

import pytest

from llmstack.cli.streams import answering
from llmstack.errors import OutputError


@pytest.mark.parametrize(
    ("number", "why"), [(errno.ENOSPC, "No space left on device"), (errno.EBADF, "it is closed"), (errno.EIO, None)]
)
def test_an_answer_that_is_lost_says_why(number, why, capsys):
    with pytest.raises(OutputError, match=f"cannot write to the output: {why or os.strerror(number)}"), answering():
        raise OSError(number, os.strerror(number))


def test_a_reader_that_went_away_is_told_from_a_lost_answer(capsys):
    with pytest.raises(BrokenPipeError), answering():
        raise BrokenPipeError
