use rustix::time::{ClockId, clock_gettime};

use super::*;

const TOKEN: &str = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";

fn fingerprinter() -> Fingerprinter {
    Fingerprinter::new("k1", b"a pepper for the tests").expect("long enough")
}

fn clean(text: &str) -> String {
    redact(text, Text::Prose, &Secrets::default(), &fingerprinter(), |_, _| {}).into_owned()
}

#[track_caller]
fn gone(text: &str, secret: &str) {
    let cleaned = clean(text);
    assert!(!cleaned.contains(secret), "{cleaned}");
    assert!(suspects(text, Text::Prose), "{text}");
    assert_eq!(clean(&cleaned), cleaned, "once is enough");
}

#[track_caller]
fn stays(text: &str) {
    assert_eq!(clean(text), text);
}

#[test]
fn secrets_are_known_by_their_shape() {
    for text in ["{}", " x{}y ", "\"{}\"", "a/{}/b", "sha256:{}", "{}{}"] {
        gone(&text.replace("{}", TOKEN), TOKEN);
    }
    gone("key sk_live_4eC39HqLyjWDarjtT1 used", "sk_live_4eC39HqLyjWDarjtT1");
    gone("sk_live_4eC39HqLyjWDarjtT1", "4eC39HqLyjWDarjtT1");
    gone("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    gone(&format!("got {JWT}, bad"), "eyJzdWIiOiIxMjM0In0");
    gone("authorization Bearer abcdef123456", "abcdef123456");
    gone("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz");
    gone("ftp://dana:hunter2@example.com/x", "hunter2");
    gone("https://u:p@ss@example.com", "p@ss");
}

#[test]
fn secrets_are_known_by_their_name() {
    gone("GET /embed?token=not-hex-at-all&x=1", "not-hex-at-all");
    gone("/?x=1&api_key=abcdef", "abcdef");
    gone("/maps?key=AIzaSyabc", "AIzaSyabc");
    gone(r#"{"password":"hunter two \" three"}"#, "hunter");
    gone(r#"{"log":"{\"token\":\"abcdefg\",\"a\":1}"}"#, "abcdefg");
    gone("X-Api-Key: abcdefg", "abcdefg");
    gone("Authorization: Custom abc def", "abc def");
    gone("Cookie: a=b; session=xyz", "session=xyz");
    gone("--password=hunter2 --user=dana", "hunter2");
    assert_eq!(clean("a?password=x1&b=2"), "a?password=[redacted]&b=2");
    assert_eq!(clean("/?token=abc&b=2"), format!("/?token={}&b=2", fingerprinter().token("abc")));
}

#[test]
fn two_slashes_excuse_nothing_but_a_url() {
    gone("GET /embed?token=//s3cr3t", "s3cr3t");
    gone("token: //s3cr3t", "s3cr3t");
    gone(r#"{"token":"//s3cr3t"}"#, "s3cr3t");
    gone(r#"token="[redacted] s3cr3t""#, "s3cr3t");
    stays("token://host/path");
}

#[test]
fn prose_in_json_is_looked_through() {
    let text = r#"{"token":"9f2c","message":"login failed, password: hunter2hunter2"}"#;
    assert!(suspects(text, Text::Json));
    assert!(!suspects(r#"{"token":"9f2c","url":"https://x:443/","at":"09:26:53"}"#, Text::Json));
}

#[test]
fn a_value_ends_where_its_kind_of_text_ends_it() {
    for (text, cleaned) in [
        ("/?password=(hunter2)&b=2", "/?password=[redacted]&b=2"),
        ("/?password=hun,ter2;x#frag", "/?password=[redacted]#frag"),
        ("/?a=1&password=it's HTTP/1.1", "/?a=1&password=[redacted] HTTP/1.1"),
        ("curl 'https://x/?password=a'", "curl 'https://x/?password=[redacted]'"),
        (r#"{"url":"/?password=a\"b"}"#, r#"{"url":"/?password=[redacted]\"b"}"#),
        ("password=(hunter2)", "password=([redacted])"),
        (r#""password"=>"a b""#, r#""password"=>"[redacted]""#),
        ("'password' => 'a b'", "'password' => '[redacted]'"),
        ("password:    hunter2", "password:    [redacted]"),
        ("password\t", "password\t"),
        ("password:\t\thunter2 x", "password:\t\t[redacted] x"),
        ("mysql --password hunter2 -h db", "mysql --password [redacted] -h db"),
        ("mysql -password 'hunter 2' db", "mysql -password '[redacted]' db"),
        ("curl -u dana:hunter2 https://x", "curl -u dana:[redacted] https://x"),
        ("curl --user \"dana:hun ter2\" x", "curl --user \"dana:[redacted]\" x"),
        ("/?next=%2Fcb%3Fpassword%3Dhun%2Cter2%26a%3Db", "/?next=%2Fcb%3Fpassword%3D[redacted]%26a%3Db"),
        ("/?next=%252Fcb%253Fpassword%253Dhunter2&a=b", "/?next=%252Fcb%253Fpassword%253D[redacted]&a=b"),
        ("DB_PASS=hunter2 otp=123456", "DB_PASS=[redacted] otp=[redacted]"),
    ] {
        assert_eq!(clean(text), cleaned);
        assert_eq!(clean(cleaned), cleaned, "once is enough");
    }
    gone("/?next=%2Fcb%3Faccess_token%3Dabcdefg%26x", "abcdefg");
    gone("PHPSESSID=abcdefg; a=b", "abcdefg");
    gone("cookies: a=b; c=d", "c=d");
}

#[test]
fn in_torn_json_any_white_space_may_stand_before_a_value() {
    for space in ["\t", "\n  ", "   ", "\r\n"] {
        let text = format!("{{\"password\":{space}\"hunter2\",\"a\":[");
        let cleaned = redact(&text, Text::Torn, &Secrets::default(), &fingerprinter(), |_, _| {});
        assert!(!cleaned.contains("hunter2"), "{cleaned}");
    }
}

#[test]
fn keys_of_well_known_issuers_are_known() {
    for key in [
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "xoxb-1234567890-abcdefghij",
        "xoxp-1234567890-abcdefghij",
        "glpat-abcdefghij0123456789",
        "ghp_abcdefghij0123456789",
    ] {
        for text in ["{}", "used {} twice", "\"{}\"", "/a/{}/b", "({})"] {
            gone(&text.replace("{}", key), key);
        }
    }
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----";
    gone(key, "MIIEow");
    gone(&key.replace('\n', "\\n"), "MIIEow");
    gone("x -----BEGIN PRIVATE KEY-----MIIEow", "MIIEow");
    gone(&format!(r#"{{"key":"{}","a":1}}"#, key.replace('\n', "\\n")), "MIIEow");
    for text in [
        "AKIA is a prefix",
        "xoxo-kisses",
        "glpat- x",
        "gap AIzawa",
        "a PRIVATE KEY----- x",
        "SAKIA0123456789ABCDEFGH",
    ] {
        stays(text);
    }
}

#[test]
fn a_percent_encoded_token_has_the_tokens_fingerprint() {
    assert_eq!(clean("/?token=a%2Db"), format!("/?token={}", fingerprinter().token("a-b")));
}

#[test]
fn what_is_no_secret_stays() {
    stays(r#"{"event":"session_token.issued","token_fp":"hmac256:k3:2dedb0c9e14eb74b93ba3e8670b03563"}"#);
    stays(r#"{"api_key_id":"key_live_7Hq2","token":null,"request_id":"5f1d9c0e7b3a4c2d8e6f0a1b2c3d4e5f"}"#);
    stays("Failed password for root from 192.0.2.1 port 22 ssh2");
    stays("basic authentication failed: no token given");
    stays("https://acme.example:443/path?x=1 https://dana@acme.example/");
    stays("https://token://x 14/Mar/2026:09:26:53 +0000");
    stays("COMMAND=/usr/bin/vim ; PWD=/home/ubuntu");
    stays("pam_unix(passwd:chauthtok): password changed for dana");
    stays("Access denied for user 'root'@'192.0.2.1' (using password: YES)");
    stays("- password reset for dana; --no-token; pre-token x");
    stays("ps -u root ; curl -u https://x.example/ ; --password -v");
    stays("cache_bypass=1 compass: north 100%3D token%3");
}

#[test]
fn known_secrets_are_found_wherever_they_stand() {
    let mut secrets = Secrets::default();
    secrets.add(Kind::Session, "ses_\"01JPA8YZ11");
    let text = r#"a ses_"01JPA8YZ11 b {"x":"ses_\"01JPA8YZ11"}"#;
    let cleaned = redact(text, Text::Prose, &secrets, &fingerprinter(), |_, _| {});
    assert!(!cleaned.contains("01JPA8YZ11"), "{cleaned}");
}

#[test]
fn letters_written_as_escapes_hide_nothing() {
    assert_eq!(
        plain_escapes(r#"\u0073k_live_ \/ \x41 \" \\u0073 \ud83d\ude00 \ud800"#),
        "sk_live_ / A \\\" \\\\u0073 😀 \\ud800"
    );
}

#[test]
fn in_torn_json_brackets_behind_a_name_hold_secrets() {
    let text = r#"{"password":["hunter2","x"],"token": {"raw":"abcdef"},"a":["b"]"#;
    let cleaned = redact(text, Text::Torn, &Secrets::default(), &fingerprinter(), |_, _| {});
    assert!(!cleaned.contains("hunter2") && !cleaned.contains("abcdef") && cleaned.contains(r#""a":["b"]"#));
}

#[test]
fn the_pass_is_linear_in_what_it_reads() {
    for piece in [
        "eyJ",
        "sk_live_",
        "token=",
        "://a",
        "://u:p",
        "@",
        "Bearer ",
        "\\\"",
        "=\"\\",
        "a=",
        "ab0",
        "\"token\":\"",
        "token://",
        "token=//",
        "?token=//",
        "token:\"//",
        "token=\"[redacted]",
        "token=(",
        "token%3D",
        "%3Dtoken",
        "%3Ftoken%3D%",
        "%2525",
        " --token ",
        " -u a",
        " -u '",
        "-----BEGIN PRIVATE KEY-----",
        " PRIVATE KEY-----",
        "-----BEGIN ",
        "xoxb-",
        "-xox",
        "/AIza",
        "glpat-",
        "AKIA",
        "?token='a",
        "token=\\\\\\",
        "token:                 ",
    ] {
        // Sixteen times as much takes sixteen times as long; were it quadratic, it would be 256 times. What
        // counts is this thread's own time, whatever else the machine does.
        let quickest = |bytes: usize| {
            let text = piece.repeat(bytes / piece.len());
            let takes = |_| {
                let start = clock_gettime(ClockId::ThreadCPUTime);
                clean(&text);
                let end = clock_gettime(ClockId::ThreadCPUTime);
                (end.tv_sec - start.tv_sec) * 1_000_000_000 + end.tv_nsec - start.tv_nsec
            };
            (0..3).map(takes).min().expect("three times")
        };
        let (short, long) = (quickest(1 << 15), quickest(1 << 19));
        assert!(long < short * 80, "{piece} took {short} ns, and sixteen times as much {long} ns");
    }
}
