"""llmstack: make machines serve the language models an inventory declares, and prove that each one answers."""

from __future__ import annotations

__version__ = "0.1.0"
