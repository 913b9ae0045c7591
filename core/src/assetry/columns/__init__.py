"""What columns are: their types in one vocabulary, and how those that are there differ from those that are declared."""
