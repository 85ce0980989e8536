SELECT tenant, api_key_id, api_key_fp, token_fp, session_id,
  count(*) FILTER (WHERE time < $4) AS before, count(*) FILTER (WHERE time >= $4) AS after,
  count(*) FILTER (WHERE outcome = 'failure') AS failures, min(time) AS first_seen, max(time) AS last_seen
FROM events
WHERE (api_key_id = $1 OR api_key_fp = $1 OR token_fp = $1 OR session_id = $1)
  AND time >= $2 AND time < $3
GROUP BY tenant, api_key_id, api_key_fp, token_fp, session_id
ORDER BY after DESC, before DESC, api_key_id, api_key_fp, token_fp, session_id
LIMIT $5
