"""The demo: both simulators, the service and an invented practice on one machine. Needs no account, no internet."""
