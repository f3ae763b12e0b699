"""Access to rows: permissions, row-level clauses and guest tokens."""
