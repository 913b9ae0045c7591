"""Runs of a project: a plan is carried out, planned anew where others came first, and waits for them where it is to."""
