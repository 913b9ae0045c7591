select
    visitor_id as customer_id,
    event_type,
    cast(happened_on as date) as happened_on
from {{ source('web', 'website_events') }}
