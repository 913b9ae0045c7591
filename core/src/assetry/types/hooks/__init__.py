"""What hooks are given, and what they answer with."""
