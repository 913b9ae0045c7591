"""Carrying out one invocation of dbt and reporting what it says."""
