//! An edge's access log: nginx' combined format in the partner's time zone, or JSON lines.

use event::EventTime;

use super::dice::mix;
use super::fact::{Agent, Request, Target};
use super::partner::Partner;
use super::text::Text;

/// Writes one line of the access log.
pub(crate) fn write(partner: &mut Partner, time: EventTime, request: &Request, text: &mut Text) {
    if partner.access_in_json {
        json(partner, time, request, text)
    } else {
        combined(partner, time, request, text)
    }
}

fn combined(partner: &mut Partner, time: EventTime, request: &Request, text: &mut Text) {
    text.address(request.client.address).put(" - - [");
    partner.zone.nginx(time, text);
    text.put("] \"").put(method(request.target)).put(" ");
    path(partner, request.target, text);
    text.put(" ").put(protocol(request)).put("\" ").number(request.status.into()).put(" ");
    text.number(size(request, time)).put(" \"");
    if matches!(request.client.agent, Agent::Backend) {
        text.put("-");
    } else {
        text.put("https://shop.").put(&partner.name).put(".example/");
    }
    text.put("\" \"");
    agent(partner, request, text);
    text.put("\"");
}

fn json(partner: &mut Partner, time: EventTime, request: &Request, text: &mut Text) {
    text.put(r#"{"time_iso8601":""#);
    partner.zone.iso_seconds(time, text);
    let ms = time.millis().unsigned_abs();
    text.put(r#"","msec":""#).number(ms / 1_000).put(".").padded(ms % 1_000, 3);
    text.put(r#"","remote_addr":""#).address(request.client.address);
    text.put(r#"","realip_remote_addr":"10.0.3.7","request_method":""#).put(method(request.target));
    text.put(r#"","scheme":"https","host":"#).put(host(request.target)).put(r#","request_uri":""#);
    path(partner, request.target, text);
    text.put(r#"","server_protocol":""#).put(protocol(request));
    text.put(r#"","status":""#).number(request.status.into());
    text.put(r#"","body_bytes_sent":""#).number(size(request, time));
    text.put(r#"","request_time":"0."#).padded(request.latency_ms.into(), 3);
    text.put(r#"","ssl_protocol":"TLSv1.3","http_user_agent":""#);
    agent(partner, request, text);
    text.put(r#"","request_id":""#).hex(mix(ms, request.latency_ms.into()), 16).put("\"}");
}

fn method(target: Target) -> &'static str {
    match target {
        Target::Sessions => "POST",
        Target::Embed(_) => "GET",
        Target::Endpoint { endpoint, .. } => endpoint.method,
    }
}

fn host(target: Target) -> &'static str {
    match target {
        Target::Embed(_) => r#""embed.usesticker.example""#,
        Target::Sessions | Target::Endpoint { .. } => r#""api.usesticker.example""#,
    }
}

/// Only a partner that logs raw tokens anyway has them in its access log too; the others' edges
/// leave the query away.
fn path(partner: &Partner, target: Target, text: &mut Text) {
    match target {
        Target::Sessions => {
            text.put("/v1/sessions");
        }
        Target::Endpoint { endpoint, user, item } => endpoint.path(user, item, text),
        Target::Embed(token) => {
            text.put("/embed/").put(&partner.name);
            if partner.logs_raw_tokens {
                text.put("?token=");
                token.raw(text);
            }
        }
    }
}

fn protocol(request: &Request) -> &'static str {
    if matches!(request.client.agent, Agent::Backend) { "HTTP/1.1" } else { "HTTP/2.0" }
}

fn size(request: &Request, time: EventTime) -> u64 {
    match request.status {
        204 | 304 => 0,
        400.. => 94,
        _ => 180 + mix(time.millis().unsigned_abs(), request.latency_ms.into()) % 4_000,
    }
}

fn agent(partner: &Partner, request: &Request, text: &mut Text) {
    match request.client.agent {
        Agent::Backend => text.put(&partner.name).put("-backend/2.14"),
        Agent::Other(agent) => text.put(agent),
    };
}
