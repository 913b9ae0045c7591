"""Records of runs and materializations."""
