"""Syncs: started, followed, judged, and told as events."""
