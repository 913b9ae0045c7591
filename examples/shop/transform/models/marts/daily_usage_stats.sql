with orders as (
    select ordered_on as day, count(*) as orders, sum(amount) as revenue
    from {{ ref('stg_orders') }}
    group by ordered_on
),

logins as (
    select happened_on as day, count(*) as logins
    from {{ ref('stg_events') }}
    where event_type = 'login'
    group by happened_on
)

select
    orders.day,
    orders.orders,
    orders.revenue,
    coalesce(logins.logins, 0) as logins
from orders
left join logins using (day)
