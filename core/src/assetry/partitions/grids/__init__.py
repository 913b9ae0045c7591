"""Grids of time: hours, days, weeks, months and what lies between the ticks of a cron text."""
