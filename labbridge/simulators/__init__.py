"""Stand-ins for the peers, with state, pages and misbehaviour; they follow the peers' documents."""
