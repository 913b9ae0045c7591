"""Automation: what is started when, by policies, deadlines and jobs; decided by pure functions, done by a daemon."""
