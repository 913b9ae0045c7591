-- description: Orders from countries that we know.
-- check unique_id: SELECT id FROM orders GROUP BY id HAVING count(*) > 1
SELECT id, country, cents / 100 AS euros FROM raw_orders WHERE country IS NOT NULL
