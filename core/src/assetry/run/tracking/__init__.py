"""What a run has made and has yet to make: decisions only."""
