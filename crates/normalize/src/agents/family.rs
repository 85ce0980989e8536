//! What kind of program a user agent says that it is: `Firefox`, `curl`, `Googlebot`. No version, so
//! that agents can be counted by it; and no proof, since a client says what it likes.

use std::borrow::Cow;

/// Marks of browsers and what they are of, the more particular first: nearly all of them also say that
/// they are Chrome, and Chrome that it is Safari.
const BROWSERS: [(&str, &str); 24] = [
    ("HeadlessChrome/", "HeadlessChrome"),
    ("Electron/", "Electron"),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPiOS/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex Browser"),
    ("UCBrowser/", "UC Browser"),
    ("Vivaldi/", "Vivaldi"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FBAN/", "Facebook"),
    ("FBAV/", "Facebook"),
    ("Instagram", "Instagram"),
    ("CriOS/", "Chrome"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("; wv)", "Android WebView"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("Trident/", "Internet Explorer"),
    ("MSIE ", "Internet Explorer"),
];

/// Tools that look for ways in, by what they are called in agents in any case. A tool that is used to
/// fetch things as well, such as curl, is none of them.
const ATTACK_TOOLS: [&str; 27] = [
    "nikto",
    "sqlmap",
    "nmap",
    "masscan",
    "zgrab",
    "nuclei",
    "wpscan",
    "gobuster",
    "dirbuster",
    "ffuf",
    "feroxbuster",
    "wfuzz",
    "acunetix",
    "netsparker",
    "openvas",
    "nessus",
    "arachni",
    "w3af",
    "havij",
    "whatweb",
    "zmeu",
    "jorgee",
    "l9explore",
    "skipfish",
    "joomscan",
    "xsstrike",
    "commix",
];

/// Whether a family is one of them.
pub(crate) fn is_attack_tool(family: &str) -> bool {
    ATTACK_TOOLS.contains(&family)
}

/// A name that is longer is none.
const NAME_BYTES_MAX: usize = 40;

/// The family of a user agent.
pub(crate) fn family(agent: &str) -> Cow<'static, str> {
    let lower = agent.to_ascii_lowercase();
    if let Some(tool) = ATTACK_TOOLS.into_iter().find(|tool| has_word(&lower, tool)) {
        return Cow::Borrowed(tool);
    }
    if let Some(robot) = robot(agent) {
        return Cow::Owned(robot.to_owned());
    }
    if !agent.starts_with("Mozilla/") && !agent.starts_with("Opera/") {
        // Programs call themselves `name/version (comment)`.
        let name = agent.trim_start().split(['/', ' ', '(', ';', ',']).next().unwrap_or_default();
        return if is_name(name) { Cow::Owned(name.to_owned()) } else { Cow::Borrowed("other") };
    }
    let browser = BROWSERS.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let by_engine = || if agent.contains("AppleWebKit/") { "WebKit WebView" } else { "other" };
    Cow::Borrowed(browser.unwrap_or_else(by_engine))
}

/// Whether a word stands in a text with no letter next to it: `RunMapper` is no nmap.
fn has_word(text: &str, word: &str) -> bool {
    let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&text.as_bytes()[..at], &text.as_bytes()[at + word.len()..]);
        !is_letter(before.last()) && !is_letter(behind.first())
    })
}

/// The word of an agent that says that it is a robot.
fn robot(agent: &str) -> Option<&str> {
    let is_robots = |word: &&str| {
        let ends_like = |end: &str| {
            word.len()
                .checked_sub(end.len())
                .and_then(|at| word.get(at..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        ["bot", "spider", "crawler"].iter().any(|end| ends_like(end)) && is_name(word)
    };
    agent.split([' ', '/', ';', '(', ')', ',', '+']).find(is_robots)
}

fn is_name(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=NAME_BYTES_MAX).contains(&word.len())
        && word.bytes().all(plain)
        && word.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_of_the_family_that_it_says_most_particularly() {
        for (agent, expected) in [
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36 Edg/122.0",
                "Edge",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
                "Safari",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/122.0 Mobile/15E148 Safari/604.1",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
                "WebKit WebView",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:123.0) Gecko/20100101 Firefox/123.0", "Firefox"),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
            ("Mozilla/5.0", "other"),
            ("curl/8.5.0", "curl"),
            ("python-requests/2.31.0", "python-requests"),
            ("acme-backend/2.14 (+https://acme.example)", "acme-backend"),
            ("Go-http-client/1.1", "Go-http-client"),
            ("okhttp", "okhttp"),
            ("() { :; }; /bin/bash", "other"),
            ("", "other"),
            ("12345", "other"),
            ("Mozilla/5.00 (Nikto/2.1.5) (Evasions:None) (Test:Port Check)", "nikto"),
            ("RunMapper/2.0 (iOS)", "RunMapper"),
            ("Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "nmap"),
            ("sqlmap/1.8#stable (https://sqlmap.org)", "sqlmap"),
            ("ünïcode/1", "other"),
        ] {
            assert_eq!(family(agent), expected, "{agent}");
        }
        assert_eq!(family(&"x".repeat(10_000)), "other");
    }
}
