//! Columns for people: as wide as they need to be, numbers to the right.

use super::printable::printable;

/// Rows under headings.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    is_number: Vec<bool>,
}

impl Table {
    /// Headings; those that end in `#` are of columns with numbers.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let is_number = headings.iter().map(|heading| heading.ends_with('#')).collect();
        let headings = headings.iter().map(|heading| heading.trim_end_matches('#').to_uppercase()).collect();
        Self { rows: vec![headings], is_number }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| printable(cell.as_bytes())).collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.is_number.len()).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, &width), &is_number) in row.iter().zip(&widths).zip(&self.is_number) {
                let cell = if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                line.push_str(&cell);
                line.push_str("  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let mut table = Table::new(&["topic", "records#", "state"]);
        table.row(["a".into(), "12".into(), "ok".into()]);
        table.row(["much longer".into(), "1234567".into(), "\x1b[31m".into()]);
        assert_eq!(
            table.to_string(),
            "TOPIC        RECORDS  STATE\n\
             a                 12  ok\n\
             much longer  1234567  \\u{1b}[31m\n"
        );
    }
}
