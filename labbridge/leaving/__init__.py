"""A practice goes: everything of it into files that anybody can read, and into an empty installation elsewhere."""
