"""The built-in integration: Python functions as assets."""
