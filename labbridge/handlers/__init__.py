"""What happens for each event: one literal table, one module per noun."""
