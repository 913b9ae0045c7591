"""The daemon: a process that looks, one that decides, and one for each run."""
