"""Fivetran's REST API: the few questions that are asked of it, and its answers as values."""
