//! Lines of the commonest sources as traffic has them, with the secrets that clients put into them.

/// A name, the source, and line `n`.
type Generated = (&'static str, &'static str, fn(usize) -> String);

pub(super) const ALL: &[Generated] = &[
    ("partner: a token's life in three lines", "partner", partner),
    ("partner: with a raw token", "partner", raw_token),
    ("nginx_combined: a phone's", "nginx_combined", nginx),
    ("nginx_combined: every line with a token", "nginx_combined", nginx_token),
    ("nginx_json: a server's", "nginx_json", nginx_json),
    ("sshd: failed passwords", "sshd", sshd),
];

fn second(n: usize) -> String {
    format!("{:02}:{:02}", n / 60 % 4 + 26, n % 60)
}

fn partner(n: usize) -> String {
    let (time, user, token) = (second(n / 100), n % 5_000, n / 3);
    let (event, extra) = match n % 3 {
        0 => (
            "issued",
            format!(
                r#""api_key_id":"key_live_{:04}","bound_origin":"https://shop.acme.example","expires_at":"2026-03-14T09:31:53.589Z""#,
                n % 50
            ),
        ),
        1 => ("redeemed", r#""outcome":"success","parent_origin":"https://shop.acme.example""#.to_owned()),
        _ => (
            "rejected",
            r#""outcome":"failure","reason":"already_used","parent_origin":"https://evil.example""#
                .to_owned(),
        ),
    };
    format!(
        r#"{{"v":1,"ts":"2026-03-14T09:{time}.589Z","seq":{n},"event":"session_token.{event}","env":"production","partner_id":"prt_acme","user_ref":"usr_{user}","token_fp":"hmac256:k3:{token:032x}",{extra},"src_ip":"203.0.113.{ip}","user_agent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)","http":{{"method":"POST","path":"/v1/sessions","status":201,"tls":"TLSv1.3"}},"request_id":"req_01JPA{n:05}"}}"#,
        ip = n % 250,
    )
}

fn raw_token(n: usize) -> String {
    partner(n).replace(
        &format!("\"token_fp\":\"hmac256:k3:{:032x}\"", n / 3),
        &format!("\"token\":\"{:064x}\"", n / 3),
    )
}

fn nginx(n: usize) -> String {
    format!(
        r#"203.0.113.{ip} - - [14/Mar/2026:09:{time} +0000] "GET /v1/profiles/usr_{n}/orders?page=2 HTTP/1.1" 200 312 "https://shop.acme.example/cart" "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1""#,
        ip = n % 250,
        time = second(n / 100),
    )
}

fn nginx_token(n: usize) -> String {
    nginx(n).replace("page=2", &format!("token={n:064x}"))
}

fn nginx_json(n: usize) -> String {
    format!(
        r#"{{"time_iso8601":"2026-03-14T09:26:53+00:00","msec":"1773480413.589","remote_addr":"203.0.113.{ip}","realip_remote_addr":"10.0.3.7","http_x_forwarded_for":"203.0.113.24","request_method":"POST","scheme":"https","host":"api.usesticker.example","request_uri":"/v1/sessions","server_protocol":"HTTP/1.1","status":"201","body_bytes_sent":"312","request_time":"0.042","upstream_response_time":"0.040","ssl_protocol":"TLSv1.3","ssl_cipher":"TLS_AES_128_GCM_SHA256","http_user_agent":"acme-backend/2.14","request_id":"{n:032x}"}}"#,
        ip = n % 250,
    )
}

fn sshd(n: usize) -> String {
    format!(
        "Mar 14 09:{} edge-1 sshd[{n}]: Failed password for invalid user u{} from 203.0.113.{} port 53502 ssh2",
        second(n / 100),
        n % 100,
        n % 250
    )
}
