"""Settings: what practice.toml says, who may do what, and every change of it with its undo."""
