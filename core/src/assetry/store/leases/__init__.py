"""Who may make and write what, as SQL: runs, their leases, and the slots that they take."""
