"""The values of assets: tables and objects, and the places that keep them."""
