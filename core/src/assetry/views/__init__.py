"""What the command line, the HTTP API and the UI show: JSON shapes and drawings, written once."""
