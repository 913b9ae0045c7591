-- description: Revenue of each country, with its name.
-- depends: countries
-- check not_negative: SELECT * FROM revenue_by_country WHERE revenue < 0
SELECT countries.name AS country, sum(euros) AS revenue
FROM orders JOIN countries ON orders.country = countries.code
GROUP BY ALL
