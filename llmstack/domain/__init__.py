"""Frozen values that travel through every layer; standard library only, no I/O."""
