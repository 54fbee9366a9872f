"""Instances as containers of a Docker engine, or of Podman's compatible one. docker-py is imported on first use."""

from llmstack.engines.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
