"""The upkeep of a project: what a change of it touches, and what is done about records besides runs."""
