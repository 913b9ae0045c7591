"""What is made from what, and which definitions mean one asset."""
