"""What can go wrong with the database, as sentences for the person at the command line."""


class DatabaseProblem(Exception):
    """The database cannot be used; the text says why and what to do, and holds no data."""


class DatabaseInUse(DatabaseProblem):
    """Another process holds what only one may hold."""
