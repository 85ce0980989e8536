//! A route: method and path template. What varies in a path becomes `{id}`, so that calls can be
//! counted by endpoint and no raw path becomes a key.

const SEGMENTS_MAX: usize = 8;
const SEGMENT_BYTES_MAX: usize = 40;
const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];

/// The route of a call, e.g. `GET /v1/profiles/{id}/orders`.
pub(crate) fn route(method: &str, path: &str) -> String {
    let method = METHODS.iter().find(|known| **known == method).copied().unwrap_or("OTHER");
    let mut route = String::with_capacity(method.len() + 1 + path.len().min(256));
    route.push_str(method);
    route.push(' ');
    let start = route.len();
    for (n, segment) in path.split('/').filter(|segment| !segment.is_empty()).enumerate() {
        if n == SEGMENTS_MAX {
            route.push_str("/...");
            break;
        }
        route.push('/');
        route.push_str(if is_id(segment) { "{id}" } else { segment });
    }
    if route.len() == start {
        route.push('/');
    }
    route
}

/// The object that a path names: the last of its segments that varies.
pub(crate) fn object(path: &str) -> Option<&str> {
    path.split('/').rev().find(|segment| !segment.is_empty() && is_id(segment))
}

/// Whether a segment names one thing among many rather than a kind of thing.
fn is_id(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    if bytes.len() > SEGMENT_BYTES_MAX {
        return true;
    }
    let (mut digits, mut hex) = (0, 0);
    for byte in bytes {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'f' | b'A'..=b'F' => hex += 1,
            b'g'..=b'z' | b'G'..=b'Z' | b'-' | b'_' | b'.' | b'~' => {}
            // An e-mail, an escape, a secret's fingerprint: nothing that names an endpoint.
            _ => return true,
        }
    }
    if digits == 0 {
        return false;
    }
    digits == bytes.len()
        || (bytes.len() >= 8 && digits + hex == bytes.len())
        || is_uuid(bytes)
        || (bytes.len() >= 12 && digits >= 3 && bytes.iter().all(u8::is_ascii_alphanumeric))
        || has_id_tail(bytes)
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `usr_81273`, `ord-2291`, `ses_01JPA8YX3F`: a word, a joint, and a tail with two digits or more.
fn has_id_tail(bytes: &[u8]) -> bool {
    let Some(joint) = bytes.iter().rposition(|byte| matches!(byte, b'_' | b'-')) else { return false };
    let tail = &bytes[joint + 1..];
    joint > 0
        && tail.iter().all(u8::is_ascii_alphanumeric)
        && tail.iter().filter(|byte| byte.is_ascii_digit()).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(route("GET", path), format!("GET {expected}"));
    }

    #[test]
    fn what_varies_in_a_path_becomes_id() {
        check("/v1/profiles/usr_81273/orders", "/v1/profiles/{id}/orders");
        check("/v1/things/42", "/v1/things/{id}");
        check("/v1/t/6f9619ff-8b86-d011-b42d-00cf4fc964ff", "/v1/t/{id}");
        check("/v1/t/9f2c4e7a1b8d3f60", "/v1/t/{id}");
        check("/v1/t/a1b2c3d4", "/v1/t/{id}");
        check("/v1/sessions/ses_01JPA8YX3F", "/v1/sessions/{id}");
        check("/v1/users/dana@acme.example", "/v1/users/{id}");
        check("/k/hmac256:k1:2dedb0c9e14eb74b93ba3e8670b03563", "/k/{id}");
        check(&format!("/v1/{}", "a".repeat(200)), "/v1/{id}");
    }

    #[test]
    fn what_names_an_endpoint_stays() {
        check("/v1/sessions", "/v1/sessions");
        check("/embed/acme/", "/embed/acme");
        check("/", "/");
        check("/oauth2/v2.0/token", "/oauth2/v2.0/token");
        check("/feed/deadbeef/v1b2", "/feed/deadbeef/v1b2");
        check("/images/dashboard3.png", "/images/dashboard3.png");
    }

    #[test]
    fn methods_and_depth_are_bounded() {
        assert_eq!(route("QWERTY", "/a"), "OTHER /a");
        check("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/...");
    }
}
