"""The shortest arguments by which dbt takes exactly the nodes that are wanted."""
