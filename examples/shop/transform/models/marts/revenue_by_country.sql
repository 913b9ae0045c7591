select
    customers.country,
    sum(orders.amount) as revenue
from {{ ref('stg_orders') }} as orders
inner join {{ ref('stg_customers') }} as customers using (customer_id)
group by customers.country
