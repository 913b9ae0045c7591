"""Connectors that run here as processes, without a server."""
