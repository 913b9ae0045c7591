"""Is versus should be: which assets are out of date, and why."""
