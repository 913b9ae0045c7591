select
    id as order_id,
    customer_id,
    cast(ordered_on as date) as ordered_on,
    {{ euros('amount') }} as amount
from {{ ref('raw_orders') }}
where status <> 'returned'
