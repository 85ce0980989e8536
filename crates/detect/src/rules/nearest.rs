//! What somebody may have meant.

/// `did you mean this?` and all there are; or, where nothing is near, only all there are.
pub(super) fn cure<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let all = match known.is_empty() {
        true => "there are none".to_owned(),
        false => format!("there are {}", known.join(", ")),
    };
    match nearest(written, known.into_iter()) {
        Some(near) => format!("did you mean {near}? {all}"),
        None => all,
    }
}

/// The name that takes the fewest changes, if it takes no more than half of what was written.
fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = |name: &&str| distance(written, name);
    known.min_by_key(far).filter(|name| distance(written, name) * 2 <= written.chars().count())
}

/// How many letters must be put in, left out or changed. Of a long name the beginning is looked at.
fn distance(a: &str, b: &str) -> usize {
    const LETTERS_MAX: usize = 64;
    let a: Vec<char> = a.chars().take(LETTERS_MAX).collect();
    let b: Vec<char> = b.chars().take(LETTERS_MAX).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_nonsense_is_not() {
        let known = ["probing", "threshold", "key_use"];
        assert_eq!(nearest("trheshold", known.into_iter()), Some("threshold"));
        assert_eq!(nearest("keyuse", known.into_iter()), Some("key_use"));
        assert_eq!(nearest("bananas", known.into_iter()), None);
        assert_eq!(cure("zzz", known.into_iter()), "there are probing, threshold, key_use");
    }
}
