"""One call of a function: what it is given, what it gave back, and what is said of that."""
