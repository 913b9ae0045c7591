"""Commands about definitions: set up, list, show, draw and check them."""
