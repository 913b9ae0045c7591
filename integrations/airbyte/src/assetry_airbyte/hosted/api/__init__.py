"""Airbyte's API: where it stands, who asks, what is asked, and the answers as values."""
