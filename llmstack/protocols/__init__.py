"""The seams: what the core asks of engines, servers, the store, GPUs, time and listeners."""

from llmstack.protocols.around import Clock, GpuReader, Ledger, Sink
from llmstack.protocols.client import Client, LazyClient
from llmstack.protocols.engine import Ability, Engine, Renew, Report

__all__ = ["Ability", "Client", "Clock", "Engine", "GpuReader", "LazyClient", "Ledger", "Renew", "Report", "Sink"]
