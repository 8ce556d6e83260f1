"""What keeps the demo from starting or going on."""


class DemoProblem(Exception):
    """A sentence for the person at the terminal."""
