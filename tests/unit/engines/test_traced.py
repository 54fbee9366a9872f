"""Calls of engines, for who asked to see them."""

from __future__ import annotations

import logging

import pytest

from llmstack.engines.traced import LOG, traced
from llmstack.testing.engine import FakeEngine


def test_each_call_is_logged_with_its_names(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, LOG.name):
        engine = traced(FakeEngine("gpu01"), "fake@gpu01")
        assert engine.observe("lab") == ()
        assert engine.host == "gpu01"
    (line,) = caplog.messages
    assert line.startswith("fake@gpu01 observe(lab) ")


def test_where_nobody_listens_the_engine_is_the_engine() -> None:
    engine = FakeEngine("gpu01")
    assert traced(engine, "fake@gpu01") is engine
