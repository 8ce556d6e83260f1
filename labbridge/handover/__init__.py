"""What leaves Labbridge: the machine API, and feeds to other systems."""
