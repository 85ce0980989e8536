//! An event: one security-relevant fact, normalized. The columns are those of OCSF 1.8.0, flat.

use crate::columns::columns;

pub use crate::columns::{ColumnDoc, WrongColumns};

columns! {
    /// One normalized event, borrowed from the raw log it was read from.
    "events" EventRow EventBatchBuilder EventBatch;
    event_id: Text, I, "metadata.uid", "Our id: a hash of topic, partition, offset and line, so reading a record again gives the same id.";
    source_event_id: Text, S, "metadata.original_event_uid", "The id that the source itself gave the event, where a server made it.";
    time: Time, S, "time", "When it happened, as the source says; clamped to ingest_time when more than five minutes ahead.";
    original_time: Text, S, "metadata.original_time", "The time stamp as it was written.";
    logged_time: Time, S, "metadata.logged_time", "When the source wrote the log line, where it says so.";
    transmit_time: Time, S, "metadata.transmit_time", "When the shipper sent it, where it says so.";
    ingest_time: Time, I, "metadata.processed_time", "When the broker appended the record; none where it gave no time.";
    tenant: Text, I, "metadata.tenant_uid", "The partner whose topic the record came from.";
    env: Text, S, "metadata.labels[] env:", "production or sandbox.";
    source_format: Text, I, "metadata.log_format", "The source description in schemas/ that read the line.";
    feed: Text, I, "metadata.log_name", "The feed part of the topic.";
    shipper_id: Text, S, "metadata.loggers[].uid", "Which shipper sent it.";
    seq: Long, S, "metadata.sequence", "The shipper's sequence number.";
    boot_id: Text, S, "unmapped.boot_id", "The shipper's boot id: a sequence starts anew with each.";
    kafka_topic: Text, I, "unmapped.kafka.topic", "Topic of the raw log.";
    kafka_partition: Int, I, "unmapped.kafka.partition", "Partition of the raw log.";
    kafka_offset: Long, I, "unmapped.kafka.offset", "Offset of the raw log.";
    kafka_line: Int, I, "unmapped.kafka.line", "Line or array element within the record, from 0.";
    class_uid: Int, I, "class_uid", "OCSF class: 3002 authentication, 6003 API, 4002 HTTP, 3004 entity, 1008 log, 4002 otherwise.";
    activity_id: Int, I, "activity_id", "OCSF activity within the class.";
    type_uid: Long, I, "type_uid", "class_uid * 100 + activity_id.";
    action: Text, S, "metadata.event_code", "What was done, e.g. session_token.redeemed, login, http.request.";
    owasp_event: Text, I, "unmapped.owasp_event", "The event's name in the OWASP logging vocabulary.";
    outcome: Text, S, "status_id", "success or failure.";
    reason: Text, S, "status_code", "Why it failed, in one word of the handshake contract's list where it fits.";
    severity: Int, I, "severity_id", "1 informational to 5 critical.";
    partner_id: Text, S, "actor.app_uid", "The partner that the payload names; the wall is tenant, not this.";
    user_ref: Text, S, "user.uid", "The user, in the partner's words; its personal parts dropped or fingerprinted.";
    api_key_id: Text, S, "api.token.uid", "The API key's public id.";
    api_key_fp: Text, I, "api.token.uid", "Keyed fingerprint of an API key of which only the raw value was there.";
    token_fp: Text, I, "authentication_token.uid", "Keyed fingerprint of a session token: hmac256:<key id>:<32 hex>.";
    token_issued_at: Time, S, "authentication_token.created_time", "When the token was issued.";
    token_expires_at: Time, S, "authentication_token.expiration_time", "When the token ends.";
    session_id: Text, S, "session.uid", "The session, fingerprinted.";
    src_ip: Text, E, "src_endpoint.ip", "The client's address, canonical.";
    src_port: Int, E, "src_endpoint.port", "The client's port.";
    end_user_ip: Text, S, "unmapped.end_user_ip", "The end user's address as the partner's backend saw it at issue.";
    peer_ip: Text, E, "src_endpoint.proxy_endpoint.ip", "The address that connected, where a proxy stands in between.";
    user_agent: Text, P, "http_request.user_agent", "As the client says.";
    ua_fp: Text, I, "unmapped.ua_fp", "The first 16 hex digits of the user agent's SHA-256.";
    method: Text, E, "http_request.http_method", "HTTP method.";
    host: Text, P, "http_request.url.hostname", "Host asked for.";
    path: Text, P, "http_request.url.path", "Path asked for, secrets redacted.";
    route: Text, I, "api.operation", "Method and path template, e.g. POST /v1/sessions: never the raw path.";
    query_redacted: Text, P, "http_request.url.query_string", "Query string, secrets redacted.";
    object_id: Text, S, "resources[].uid", "The object that was touched.";
    status: Int, E, "http_response.code", "HTTP status.";
    bytes_in: Long, E, "http_request.length", "Bytes received.";
    bytes_out: Long, E, "http_response.length", "Bytes sent.";
    latency_ms: Int, E, "http_response.latency", "Milliseconds to answer.";
    scheme: Text, E, "http_request.url.scheme", "http or https.";
    tls_version: Text, E, "tls.version", "e.g. TLSv1.3.";
    referrer_host: Text, P, "http_request.referrer", "Host of the referrer.";
    origin_host: Text, P, "unmapped.origin_host", "Host of the page that holds the iframe (parent_origin).";
    bound_origin: Text, S, "unmapped.bound_origin", "Host that the token is bound to, said at issue.";
    request_id: Text, P, "http_request.uid", "Request id; a client can set it, so nothing is de-duplicated by it.";
    trace_id: Text, P, "trace.uid", "W3C trace id.";
    message: Text, P, "message", "The human part of the line, redacted.";
    flags: List, I, "unmapped.flags", "What was odd: clock_skew, late, tenant_mismatch, raw_token_received, duplicate_key, ...";
    redactions: List, I, "unmapped.redactions", "Which secrets were taken out, and from where, e.g. session_token:query.";
    raw_hash: Hash, I, "raw_data_hash", "SHA-256 of the line as it came; HMAC-SHA-256 with the pepper where something was taken out of it.";
    raw: Text, I, "raw_data", "The line, redacted.";
    observed: Text, I, "unmapped.observed", "What of it detectors were given, so that a replay gives them the same: the kinds of observations, and what tells deliveries of one line from two lines.";
    unmapped: Text, P, "unmapped", "A JSON object of the fields that no column holds, redacted.";
}
