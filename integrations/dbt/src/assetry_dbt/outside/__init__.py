"""What there is in the warehouse, looked at and deleted by commands of dbt that build nothing."""
