"""The tasks of `invoke`, as in `invoke up --model demo`; `invoke --list` shows them all."""

from llmstack.cli.collection import namespace

ns = namespace(__file__)
