"""Real models, from the command line to the answer."""

from __future__ import annotations

import pytest

from tests.desk import DOORS


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    """The name of each door in turn."""
    return str(request.param)
