"""Files that others put somewhere, as assets: in a folder here, or where fsspec reaches."""
