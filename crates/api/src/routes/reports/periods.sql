SELECT time >= $4 AS is_after, count(*) AS events,
  count(*) FILTER (WHERE outcome = 'failure') AS failures,
  count(DISTINCT route) AS endpoints, count(DISTINCT src_ip) AS addresses,
  count(DISTINCT src_country) AS countries, count(DISTINCT user_ref) AS users,
  min(time) AS first_seen, max(time) AS last_seen
FROM events
WHERE (api_key_id = $1 OR api_key_fp = $1 OR token_fp = $1 OR session_id = $1)
  AND time >= $2 AND time < $3
GROUP BY 1
