//! A judgement as Markdown.

use std::fmt::{self, Display, Formatter};

use super::Quality;

impl Display for Quality {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| class | attacks | found | missed | false alarms | precision | recall | delay, half of them | at most |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
        for (class, of) in &self.classes {
            let (found, mut delays) = (of.delays_ms.len(), of.delays_ms.clone());
            delays.sort_unstable();
            writeln!(
                f,
                "| `{class}` | {} | {found} | {} | {} | {} | {} | {} | {} |",
                of.labelled,
                of.labelled - found,
                of.wrong,
                share(of.right, of.right + of.wrong),
                share(found, of.labelled),
                duration(delays.get(delays.len() / 2)),
                duration(delays.last()),
            )?;
        }
        writeln!(f, "\n| near-miss | played | told |\n|---|---:|---:|")?;
        for (name, (played, told)) in &self.near_misses {
            writeln!(f, "| {} | {played} | {told} |", name.replace('_', " "))?;
        }
        list(f, "Missed", &self.missed)?;
        list(f, "False alarms", &self.false_alarms)
    }
}

fn list(f: &mut Formatter<'_>, what: &str, all: &[String]) -> fmt::Result {
    if all.is_empty() {
        return writeln!(f, "\n{what}: none.");
    }
    writeln!(f, "\n{what}:\n")?;
    all.iter().try_for_each(|one| writeln!(f, "- {one}"))
}

fn share(part: usize, whole: usize) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{:.3}", part as f64 / whole as f64) }
}

fn duration(ms: Option<&i64>) -> String {
    match ms {
        None => "–".to_owned(),
        Some(ms) if *ms < 120_000 => format!("{} s", ms / 1_000),
        Some(ms) if *ms < 7_200_000 => format!("{} min", ms / 60_000),
        Some(ms) => format!("{:.1} h", *ms as f64 / 3_600_000.0),
    }
}
