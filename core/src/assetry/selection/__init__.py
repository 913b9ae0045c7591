"""From the text that a person types to the keys of assets."""
