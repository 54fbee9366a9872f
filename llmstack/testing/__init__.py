"""For tests of llmstack itself and of plugins: an engine in memory, and time that is advanced by hand."""

from llmstack.testing.clock import FakeClock
from llmstack.testing.engine import FakeEngine
from llmstack.testing.script import Script

__all__ = ["FakeClock", "FakeEngine", "Script"]
