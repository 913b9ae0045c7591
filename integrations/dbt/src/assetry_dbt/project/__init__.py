"""A dbt project on disk: found, parsed when it has changed, and its profile read."""
