select
    id as order_id,
    customer_id,
    cast(ordered_on as date) as ordered_on,
    {{ euros('amount') }} as amount
from {{ source('raw', 'orders') }}
where status <> 'returned'
