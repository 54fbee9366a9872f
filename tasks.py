"""The tasks of `invoke`, as in `invoke up --model demo`; `invoke --list` shows them all."""

from llmstack.cli.start import heed

heed()

from llmstack.cli.collection import namespace  # noqa: E402 - Ctrl-C is heeded while this is loaded

ns = namespace(__file__)
