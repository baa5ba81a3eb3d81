//! Numbers with their 95 % intervals, and the tables they stand in.

use serde::Serialize;
use std::fmt;

/// Standard deviations of a normal distribution that hold 95 % of it.
pub const Z: f64 = 1.959_964;

/// A mean over pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    pub mean: f64,
    /// Of the mean, by the normal distribution.
    pub interval95: [f64; 2],
    /// Pictures.
    pub of: usize,
}

impl Mean {
    /// The interval of fewer than two values is as wide as can be.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half = match values.len() {
            0 | 1 => f64::INFINITY,
            _ => Z * (variance / n).sqrt(),
        };
        Self {
            mean,
            interval95: [mean - half, mean + half],
            of: values.len(),
        }
    }
}

impl fmt::Display for Mean {
    /// `21.53 ± 0.12`, with the digits that a precision asks for.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // The PSNR of pictures that are the same.
        if self.mean == f64::INFINITY {
            return f.write_str("infinite");
        }
        let digits = f.precision().unwrap_or(2);
        let half = (self.interval95[1] - self.interval95[0]) / 2.0;
        write!(f, "{:.digits$} ± {half:.digits$}", self.mean)
    }
}

/// A Markdown table; every row has as many cells as the header. The first columns hold words, `words` of them.
pub fn table(header: &[&str], words: usize, rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
    let names: Vec<String> = header.iter().map(|name| name.to_string()).collect();
    let rule = (0..header.len()).map(|i| if i < words { "---" } else { "---:" });
    let rule = format!("|{}|", rule.collect::<Vec<_>>().join("|"));
    let mut lines = vec![line(&names), rule];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}

/// A cell for what may not apply.
pub fn cell<T: fmt::Display>(value: Option<T>) -> String {
    value.map_or("-".to_string(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_have_the_interval_of_the_normal_distribution() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        // Variance 2.5, standard error sqrt(0.5).
        assert_eq!((mean.mean, mean.of), (3.0, 5));
        assert!((mean.interval95[1] - 3.0 - Z * 0.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(format!("{mean:.1}"), "3.0 ± 1.4");
        assert_eq!(format!("{:.1}", Mean::of(&[f64::INFINITY, 3.0])), "infinite");
        assert_eq!(Mean::of(&[7.0]).interval95, [f64::NEG_INFINITY, f64::INFINITY]);
    }

    #[test]
    fn tables_are_markdown() {
        let rows = vec![
            vec!["seen".to_string(), cell(Some(1.5))],
            vec!["held out".to_string(), cell::<f64>(None)],
        ];
        let expected = "| Scenes | PSNR |\n|---|---:|\n| seen | 1.5 |\n| held out | - |";
        assert_eq!(table(&["Scenes", "PSNR"], 1, &rows), expected);
    }
}
