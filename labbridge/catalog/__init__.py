"""The lab test catalogue: Rupa's companies and tests, kept in the practice's Caspio tables."""
