"""What automation would do in days to come: the same decisions, on a copy of the records, by a clock of their own."""
