SELECT alert_id, tenant, detector, class, severity, title, triggered_at, last_seen
FROM alerts
WHERE (entity = $1 OR strpos(details, '"' || $1 || '"') > 0 OR strpos(query_sql, '''' || $1 || '''') > 0)
  AND last_seen >= $2 AND triggered_at < $3
ORDER BY triggered_at, alert_id
LIMIT $4
