"""Writing to Caspio: the plan of one change and its repeatable execution. Nothing else writes Caspio rows."""
