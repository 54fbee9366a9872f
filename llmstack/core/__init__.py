"""Wanted, observed, plan, apply: knows the protocols and the plugin API, never an adapter."""
