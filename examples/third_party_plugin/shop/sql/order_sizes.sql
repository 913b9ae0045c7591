-- description: How many orders are how big.
SELECT euros >= 1 AS big, count(*) AS orders FROM orders GROUP BY ALL
