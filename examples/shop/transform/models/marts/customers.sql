select
    customers.customer_id,
    customers.name,
    customers.country,
    scores.score,
    scores.tier
from {{ ref('stg_customers') }} as customers
left join {{ source('python', 'customer_scores') }} as scores using (customer_id)
