"""What changes: which assets a change touches, and how two sets of definitions differ."""
