//! Tables for the terminal: columns as wide as what stands in them.

/// Rows of cells. The first column is left-aligned, the others are numbers and right-aligned.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, each indented.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| self.rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::from("  ");
            for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width - cell.chars().count());
                line += &if n == 0 { format!("{cell}{gap}") } else { format!("   {gap}{cell}") };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

/// A number to three digits that matter, and no more zeros than that.
pub(crate) fn number(value: f64) -> String {
    let digits = if value == 0.0 || !value.is_finite() { 0.0 } else { value.abs().log10().floor() };
    let decimals = if value == 0.0 { 0 } else { (2.0 - digits).clamp(0.0, 6.0) as usize };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::{Table, number};

    #[test]
    fn columns_are_aligned_whatever_the_letters() {
        let mut table = Table::default();
        table.row(["".to_owned(), "µs".to_owned(), "ms".to_owned()]);
        table.row(["floor".to_owned(), "1.02".to_owned(), "3".to_owned()]);
        assert_eq!(table.text(), "            µs   ms\n  floor   1.02    3\n");
    }

    #[test]
    fn three_digits_matter() {
        let numbers = [0.0, 0.001_234, 1.0, 12.345, 999.6, 87_662.4, -2.5].map(number);
        assert_eq!(numbers, ["0", "0.00123", "1.00", "12.3", "1000", "87662", "-2.50"]);
    }
}
