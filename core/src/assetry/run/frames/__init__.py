"""What is recorded and told of a run as a whole, from its beginning to its end."""
