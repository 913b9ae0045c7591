"""What editors are told of the project file: a JSON schema, kept beside the records, and named in its first line."""
