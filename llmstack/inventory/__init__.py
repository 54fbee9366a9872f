"""Reads the inventory: YAML or JSON to hosts, groups and services placed on them, or every mistake at once."""

from __future__ import annotations

from llmstack.inventory.explain import Explainer
from llmstack.inventory.loader import load
from llmstack.inventory.patterns import hosts_matching

__all__ = ["Explainer", "hosts_matching", "load"]
