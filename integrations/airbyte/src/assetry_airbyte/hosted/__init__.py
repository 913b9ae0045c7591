"""Connections of an Airbyte server: read, synced and followed over its API."""
