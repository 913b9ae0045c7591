select country, count(*) as orders, sum(amount) as revenue
from {{ source("shop", "orders") }} as orders
join {{ source("shop", "customers") }} as customers on customers.id = orders.customer_id
group by country
