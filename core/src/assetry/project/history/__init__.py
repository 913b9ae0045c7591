"""The history of a project: how long it is kept, and what is removed of it."""
