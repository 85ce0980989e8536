SELECT tenant, src_ip AS address,
  max(src_country) AS country, max(src_asn) AS asn, max(src_as_name) AS as_name,
  count(*) FILTER (WHERE time < $4) AS before, count(*) FILTER (WHERE time >= $4) AS after,
  count(*) FILTER (WHERE outcome = 'failure') AS failures, min(time) AS first_seen, max(time) AS last_seen
FROM events
WHERE (api_key_id = $1 OR api_key_fp = $1 OR token_fp = $1 OR session_id = $1)
  AND time >= $2 AND time < $3 AND src_ip IS NOT NULL
GROUP BY tenant, src_ip
ORDER BY after DESC, before DESC, src_ip
LIMIT $5
