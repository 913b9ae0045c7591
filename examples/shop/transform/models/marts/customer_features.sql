select
    customers.customer_id,
    count(orders.order_id) as orders,
    coalesce(sum(orders.amount), 0) as revenue,
    max(orders.ordered_on) as last_order
from {{ ref('stg_customers') }} as customers
left join {{ ref('stg_orders') }} as orders using (customer_id)
group by customers.customer_id
