"""Who may make what, and use what, while a run goes on: leases of assets, and slots."""
