"""What can go wrong with the database, as sentences for the person at the command line."""


class DatabaseProblem(Exception):  # noqa: N818 - the glossary's plain word; it is printed, not debugged
    """The database cannot be used; the text says why and what to do, and holds no data."""


class DatabaseInUse(DatabaseProblem):
    """Another process holds what only one may hold."""
