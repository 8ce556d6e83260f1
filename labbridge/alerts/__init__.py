"""What a person must know, said once: rules of typed words, edges, quiet hours, channels. No PHI by construction."""
