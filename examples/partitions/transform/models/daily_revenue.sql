{{ config(
    materialized='incremental', incremental_strategy='microbatch',
    event_time='day', begin='2023-12-01', batch_size='day'
) }}
select day, sum(amount) as revenue
from {{ source('till', 'sales') }}
group by day
