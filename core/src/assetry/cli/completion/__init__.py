"""Completion in shells: which words may come next, known without loading a project, and how each shell is told."""
