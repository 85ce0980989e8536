//! The handshake log: newline-delimited JSON by the contract that partners are given.

use event::EventTime;

use super::dice::mix;
use super::fact::{Agent, Client, Fact, Token};
use super::partner::Partner;
use super::people::{Address, User};
use super::text::Text;

/// Writes one line of the handshake log and counts it.
pub(crate) fn write(partner: &mut Partner, time: EventTime, fact: &Fact, text: &mut Text) {
    text.put(r#"{"v":1,"ts":""#);
    partner.utc.rfc3339(time, text);
    text.put(r#"","seq":"#).number(partner.shipper.seq);
    text.put(r#","shipper_id":"shp_"#).put(&partner.name).put("_1");
    text.put(r#"","boot_id":""#).hex(partner.shipper.boot_id, 8);
    text.put(r#"","event":""#).put(name(fact));
    text.put(r#"","env":"production","partner_id":""#).put(partner.tenant.as_str()).put("\"");
    match fact {
        Fact::TokenIssued(token) => issued(partner, *token, text),
        Fact::TokenRedeemed { token, client } => {
            presented(partner, *token, text);
            text.put(r#","outcome":"success","session_id":"ses_"#).hex(mix(token.id, 6), 12).put("\"");
            seen_from(partner, *client, 200, text);
        }
        Fact::TokenRejected { token, client, reason } => {
            presented(partner, *token, text);
            text.put(r#","outcome":"failure","reason":""#).put(reason).put("\"");
            seen_from(partner, *client, 401, text);
        }
        Fact::KeyFailed { key, from, reason } => {
            text.put(r#","api_key_id":""#);
            key.id(text);
            text.put(r#"","reason":""#).put(reason).put("\"");
            source(*from, text);
            http("POST", 401, text, |text| {
                text.put("/v1/sessions");
            });
        }
        Fact::ApiCall { user, endpoint, status } => {
            key_and_user(partner, *user, text);
            source(partner.backend(user.number), text);
            http(endpoint.method, *status, text, |text| endpoint.path(*user, user.number, text));
        }
        Fact::ShipperHeartbeat => {
            text.put(r#","sent_total":"#).number(partner.shipper.sent).put(r#","dropped_total":0,"clock":""#);
            partner.utc.rfc3339(time, text);
            text.put("\"");
        }
        Fact::ShipperStarted | Fact::Request(_) | Fact::Sshd(_) => {}
    }
    if !matches!(fact, Fact::ShipperStarted | Fact::ShipperHeartbeat) {
        let request = mix(partner.shipper.boot_id, partner.shipper.seq);
        text.put(r#","request_id":"req_"#).hex(request, 10).put("\"");
    }
    text.put("}");
    partner.shipper.seq += 1;
    partner.shipper.sent += 1;
}

fn name(fact: &Fact) -> &'static str {
    match fact {
        Fact::TokenIssued(_) => "session_token.issued",
        Fact::TokenRedeemed { .. } => "session_token.redeemed",
        Fact::TokenRejected { .. } => "session_token.rejected",
        Fact::KeyFailed { .. } => "api_key.auth_failed",
        Fact::ApiCall { .. } => "api.request",
        Fact::ShipperStarted => "shipper.started",
        Fact::ShipperHeartbeat => "shipper.heartbeat",
        Fact::Request(_) | Fact::Sshd(_) => unreachable!("Partner::line writes these to other logs"),
    }
}

fn issued(partner: &mut Partner, token: Token, text: &mut Text) {
    key_and_user(partner, token.user, text);
    token_member(partner, token, text);
    text.put(r#","issued_at":""#);
    partner.utc.rfc3339(token.issued_at, text);
    text.put(r#"","expires_at":""#);
    partner.utc.rfc3339(token.expires_at(), text);
    text.put(r#"","bound_origin":"https://shop."#).put(&partner.name).put(".example\"");
    if partner.tells_user_address {
        text.put(r#","end_user_ip":""#).address(token.user.address()).put("\"");
    }
    source(partner.backend(token.id), text);
    text.put(r#","user_agent":""#).put(&partner.name).put("-backend/2.14\"");
    http("POST", 201, text, |text| {
        text.put("/v1/sessions");
    });
}

fn presented(partner: &Partner, token: Token, text: &mut Text) {
    text.put(r#","user_ref":"usr_"#).number(token.user.number).put("\"");
    token_member(partner, token, text);
}

fn token_member(partner: &Partner, token: Token, text: &mut Text) {
    if partner.logs_raw_tokens {
        text.put(r#","token":""#);
        token.raw(text);
    } else {
        text.put(r#","token_fp":""#);
        token.fingerprint(text);
    }
    text.put("\"");
}

fn seen_from(partner: &Partner, client: Client, status: u16, text: &mut Text) {
    source(client.address, text);
    text.put(r#","user_agent":""#);
    match client.agent {
        Agent::Backend => text.put(&partner.name).put("-backend/2.14"),
        Agent::Other(agent) => text.put(agent),
    };
    text.put(r#"","parent_origin":"https://shop."#).put(&partner.name).put(".example\"");
    http("GET", status, text, |text| {
        text.put("/embed/").put(&partner.name);
    });
}

fn key_and_user(partner: &Partner, user: User, text: &mut Text) {
    text.put(r#","api_key_id":""#);
    partner.key.id(text);
    text.put(r#"","user_ref":"usr_"#).number(user.number).put("\"");
}

fn source(address: Address, text: &mut Text) {
    text.put(r#","src_ip":""#).address(address).put("\"");
}

fn http(method: &str, status: u16, text: &mut Text, path: impl FnOnce(&mut Text)) {
    text.put(r#","http":{"method":""#).put(method).put(r#"","path":""#);
    path(text);
    text.put(r#"","status":"#).number(status.into()).put(r#","tls":"TLSv1.3"}"#);
}
