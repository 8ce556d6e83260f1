"""Events: kept as they arrived, sealed, with what became of them. Knows no peer and no HTTP."""
