"""Definitions: connections as they were read, and the assets that they are."""
