"""Who may sign in, how they prove it, and what their role lets them do (design.md 8)."""
