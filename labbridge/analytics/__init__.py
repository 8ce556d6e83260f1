"""Questions over the mirror: orders, tests, turnaround, where time is lost, money. Answers are tables of figures."""
