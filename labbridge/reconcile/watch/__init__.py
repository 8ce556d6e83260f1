"""Looking at the state of things every few minutes, and reporting what a person must know to `alerts`."""
