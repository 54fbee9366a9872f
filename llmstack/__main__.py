"""`python -m llmstack`: the same as `llmstack`."""

from __future__ import annotations

from llmstack.cli.start import start

if __name__ == "__main__":
    start()
