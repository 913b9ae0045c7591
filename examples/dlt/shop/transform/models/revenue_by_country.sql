select customers.country, sum(lines.cents) / 100 as euros
from {{ source('raw', 'orders__lines') }} as lines
join {{ source('raw', 'orders') }} as orders on lines._dlt_parent_id = orders._dlt_id
join {{ source('raw', 'customers') }} as customers on orders.customer_id = customers.id
group by all
