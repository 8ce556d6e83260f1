"""What other systems are to be told: facts, noted in the transaction of the change, and the letters about them."""
