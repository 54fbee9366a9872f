"""The embedded engine: instances are plain processes of this machine, each kept by a small shim.

Imports nothing itself, because the shim imports this package and must stay small.
"""
