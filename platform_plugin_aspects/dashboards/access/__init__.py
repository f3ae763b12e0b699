"""Who may see which rows: permissions, row-level clauses and guest tokens."""
