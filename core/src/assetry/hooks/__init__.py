"""The hooks of plugins, what is installed, and how plugins are asked."""
