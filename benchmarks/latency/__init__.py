"""How long a decision takes, of what that time consists, and whether the fast one chooses as the exact one does."""
