"""What a manifest says: nodes, the version of their code, and the assets they become."""
