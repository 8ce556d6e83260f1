"""Our copy of what the peers know, in neutral nouns. Newest wins; patient data is sealed."""
