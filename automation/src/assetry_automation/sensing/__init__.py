"""What others have made is seen: by sensors, and by integrations that are observed at intervals."""
