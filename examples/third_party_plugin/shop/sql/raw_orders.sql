-- description: What was ordered, as it came in.
SELECT * FROM (VALUES (1, 'de', 120), (2, 'fr', 80), (3, 'de', 40), (4, NULL, 10)) AS row(id, country, cents)
