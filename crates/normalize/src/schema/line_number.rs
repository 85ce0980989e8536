//! Where in a file a key stands. The YAML library tells no places of values, so the text is looked at:
//! key by key, each behind the one that it lies in.

/// The line of a key such as `columns.src_ip.as` or `by[1].on`, counted from 1. Where its last part
/// does not stand in the file, as where it is missed, that of what it would lie in.
pub(super) fn line_of(yaml: &str, key: &str) -> Option<usize> {
    let mut at = None;
    for part in key.split('.') {
        let (name, mut rest) = part.split_once('[').unwrap_or((part, ""));
        let from = at.unwrap_or(0);
        let Some(found) = key_after(yaml, from, name, at.is_none()) else { break };
        at = Some(found);
        while let Some((number, behind)) = rest.split_once(']') {
            let item = number.parse().ok().and_then(|n| item_after(yaml, at.unwrap_or(0), n));
            at = item.or(at);
            rest = behind.trim_start_matches('[');
        }
    }
    at.map(|at| 1 + yaml[..at].matches('\n').count())
}

/// Where `name:` stands behind a place; at the top it begins a line.
fn key_after(yaml: &str, from: usize, name: &str, is_top: bool) -> Option<usize> {
    let is_key = |at: usize| {
        let before = yaml[..at].trim_end_matches(['"', '\'']);
        let behind = yaml[at + name.len()..].trim_start_matches(['"', '\'']).trim_start_matches(' ');
        let begins = match is_top {
            true => before.is_empty() || before.ends_with('\n'),
            false => before.ends_with(['\n', ' ', '{', ',', '[']),
        };
        begins && behind.starts_with(':')
    };
    if name.is_empty() {
        return None;
    }
    yaml[from..].match_indices(name).map(|(at, _)| from + at).find(|at| is_key(*at))
}

/// Where the item of a list begins whose items stand on lines of their own.
fn item_after(yaml: &str, from: usize, n: usize) -> Option<usize> {
    let mut indent = None;
    let mut start = from + yaml[from..].find('\n')? + 1;
    let mut items = 0;
    for line in yaml[start..].split_inclusive('\n') {
        let inside = line.trim_start_matches(' ');
        if inside.starts_with("- ")
            && *indent.get_or_insert(line.len() - inside.len()) == line.len() - inside.len()
        {
            if items == n {
                return Some(start);
            }
            items += 1;
        } else if indent.is_none() && !inside.trim().is_empty() && !inside.starts_with('#') {
            return None;
        }
        start += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "about: columns and so on
format: json
time: {from: ts,
  formats: [rfc3339]}
columns:
  # as: a comment
  src_ip: {from: a, as: ip}
  \"status\": b
by:
  - on: status
    cases: {200: {outcome: success}}
  - {on: action, cases: {x: {sev: 1}}}
";

    #[track_caller]
    fn check(key: &str, line: Option<usize>) {
        assert_eq!(line_of(YAML, key), line, "{key}");
    }

    #[test]
    fn a_key_is_found_on_its_line() {
        check("about", Some(1));
        check("time.formats[0]", Some(4));
        check("columns", Some(5));
        check("columns.src_ip.as", Some(7));
        check("columns.status", Some(8));
        check("by[0].cases.200", Some(11));
        check("by[1].cases.x.sev", Some(12));
    }

    #[test]
    fn what_is_missing_is_told_by_what_it_would_lie_in() {
        check("columns.src_ip.from2", Some(7));
        check("file", None);
        check("", None);
        check("by[7].on", Some(10));
    }
}
