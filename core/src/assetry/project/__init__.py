"""The front door: settings, definitions, and the verbs."""
