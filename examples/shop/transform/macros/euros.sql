{% macro euros(column) %}cast({{ column }} as decimal(10, 2)){% endmacro %}
