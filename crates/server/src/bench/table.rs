//! The figures as a table.

use std::collections::BTreeMap;

use super::loader::Measured;

/// What a figure has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Floor {
    /// At least this.
    AtLeast(f64),
    /// Less than this.
    Below(f64),
    /// It is only told.
    None,
}

impl Floor {
    fn verdict(self, figure: f64) -> &'static str {
        match self {
            _ if figure.is_nan() => "VOID, see below",
            Self::AtLeast(floor) if figure >= floor => "reached",
            Self::Below(limit) if figure < limit => "reached",
            Self::AtLeast(_) | Self::Below(_) => "MISSED",
            Self::None => "",
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(floor) => format!(">= {floor}"),
            Self::Below(limit) => format!("< {limit}"),
            Self::None => String::new(),
        }
    }
}

/// The figures, line by line.
#[derive(Debug, Default)]
pub struct Table {
    lines: Vec<[String; 8]>,
    errors: BTreeMap<String, u64>,
}

impl Table {
    /// A rate, as a ratio to another of the same run.
    pub fn rate(&mut self, what: &str, measured: &Measured, against: &str, base: f64, floor: Floor) {
        let ratio = measured.ratio_to(base);
        self.line([
            what.to_owned(),
            format!("{:.0}", measured.rate()),
            format!("{:.1} / {:.1}", measured.percentile(0.5), measured.percentile(0.99)),
            format!("{:.1}", measured.cost()),
            format!("{ratio:.3}"),
            against.to_owned(),
            floor.text(),
            floor.verdict(ratio).to_owned(),
        ]);
        for (error, count) in &measured.errors {
            *self.errors.entry(format!("{what}: {error}")).or_default() += count;
        }
    }

    /// A figure that is no rate.
    pub fn figure(&mut self, what: &str, figure: f64, unit: &str, floor: Floor) {
        let [verdict, limit] = [floor.verdict(figure).to_owned(), floor.text()];
        self.line([
            what.to_owned(),
            String::new(),
            String::new(),
            String::new(),
            format!("{figure:.1}"),
            unit.to_owned(),
            limit,
            verdict,
        ]);
    }

    fn line(&mut self, line: [String; 8]) {
        eprintln!("  {}", line.join("  "));
        self.lines.push(line);
    }

    /// As Markdown.
    pub fn render(&self) -> String {
        let head = ["what", "ok/s", "p50 / p99 ms", "CPU µs", "ratio", "to", "floor", "verdict"].map(str::to_owned);
        let all = || std::iter::once(&head).chain(&self.lines);
        let widths: [usize; 8] =
            std::array::from_fn(|column| all().map(|line| line[column].chars().count()).max().unwrap_or(0));
        let row = |line: &[String; 8]| {
            let cells = line.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} |"));
            format!("|{}\n", cells.collect::<String>())
        };
        let rule = widths.map(|width| format!("{}|", "-".repeat(width + 2))).concat();
        let mut text = format!("{}|{rule}\n", row(&head));
        text.extend(self.lines.iter().map(row));
        if !self.errors.is_empty() {
            text += "\nNot answered with success, and not counted (more than one in a hundred makes a figure void; more --seats may help):\n";
            text.extend(self.errors.iter().map(|(error, count)| format!("- {count} × {error}\n")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_by_its_floor() {
        let mut table = Table::default();
        table.figure("memory", 299.94, "MiB", Floor::Below(300.0));
        table.figure("memory", 300.0, "MiB", Floor::Below(300.0));
        table.figure("ratio", 0.25, "echo", Floor::AtLeast(0.25));
        table.rate("holds", &Measured::default(), "echo", 9.0, Floor::AtLeast(0.25));
        table.figure("ratio", f64::NAN, "echo", Floor::AtLeast(0.25));
        let text = table.render();
        let verdicts: Vec<&str> =
            text.lines().skip(2).filter_map(|line| line.split('|').nth(8).map(str::trim)).collect();
        assert_eq!(verdicts, ["reached", "MISSED", "reached", "MISSED", "VOID, see below"]);
        assert!(text.lines().all(|line| line.chars().count() == text.lines().next().map_or(0, |l| l.chars().count())));
    }
}
