//! The scores as JSON and as a Markdown table.

use std::fmt;

use serde::Serialize;

use super::Drawing;
use super::score::{Rate, Score};
use crate::data::colour::Colour;
use crate::data::heldout::Split;
use crate::data::oracle::Verdict;

/// Which pictures were judged against which prompts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pictures {
    /// What the model drew.
    Model,
    /// Real compositions of the same prompts: what the oracle can find at best.
    Real,
    /// What the model drew, each under another one's prompt: what chance finds.
    Shuffled,
}

/// What tables call a side of the split.
pub fn side(split: Split) -> &'static str {
    match split {
        Split::Train => "seen",
        Split::HeldOut => "held out",
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub split: Split,
    pub pictures: Pictures,
    #[serde(flatten)]
    pub score: Score,
}

/// One picture of the model, as it was judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    pub split: Split,
    pub prompt: String,
    pub seed: u64,
    pub noun: String,
    pub colour: Colour,
    pub background: Colour,
    pub verdict: Verdict,
}

impl Judged {
    pub fn new(split: Split, drawing: &Drawing) -> Self {
        let prompt = drawing.prompt;
        Self {
            split,
            prompt: prompt.text.clone(),
            seed: drawing.seed,
            noun: prompt.noun.clone(),
            colour: prompt.colour,
            background: prompt.background,
            verdict: drawing.verdict.clone(),
        }
    }
}

/// All scores of a model and the pictures behind them.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// Pictures of each prompt.
    pub seeds: u64,
    pub rows: Vec<Row>,
    pub pictures: Vec<Judged>,
}

impl fmt::Display for Report {
    /// A Markdown table.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "| Combinations | Pictures | Count | Object | Colour | Both | Background |"
        )?;
        writeln!(f, "|---|---|---:|---:|---:|---:|---:|")?;
        for Row { split, pictures, score } in &self.rows {
            let split = side(*split);
            let pictures = match pictures {
                Pictures::Model => self.model.as_str(),
                Pictures::Real => "real (ceiling)",
                Pictures::Shuffled => "prompts shuffled (floor)",
            };
            write!(f, "| {split} | {pictures} | {} |", score.both.of)?;
            for rate in [score.object, score.colour, score.both, score.background] {
                write!(f, " {} |", Percent(rate))?;
            }
            writeln!(f)?;
        }
        write!(f, "\nPercent right, in brackets the 95 % interval (Wilson).")
    }
}

/// `93.1 [88.0, 96.2]`.
struct Percent(Rate);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [low, high] = self.0.interval();
        write!(
            f,
            "{:.1} [{:.1}, {:.1}]",
            100.0 * self.0.share(),
            100.0 * low,
            100.0 * high
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let rate = |right| Rate { right, of: 20 };
        Report {
            model: "tiny".to_owned(),
            seeds: 2,
            rows: vec![Row {
                split: Split::HeldOut,
                pictures: Pictures::Model,
                score: Score {
                    object: rate(0),
                    colour: rate(10),
                    both: rate(0),
                    background: rate(20),
                },
            }],
            pictures: Vec::new(),
        }
    }

    #[test]
    fn the_table_has_a_line_for_every_row() {
        let table = report().to_string();
        let line =
            "| held out | tiny | 20 | 0.0 [0.0, 16.1] | 50.0 [29.9, 70.1] | 0.0 [0.0, 16.1] | 100.0 [83.9, 100.0] |";
        assert_eq!(table.lines().nth(2), Some(line));
        let cells = |line: &str| line.matches('|').count();
        assert!(table.lines().take(3).all(|line| cells(line) == 8), "{table}");
    }

    #[test]
    fn the_json_has_counts_and_intervals() {
        let json = serde_json::to_value(report()).unwrap();
        let row = &json["rows"][0];
        assert_eq!((&row["split"], &row["pictures"]), (&"held_out".into(), &"model".into()));
        assert_eq!(
            (&row["colour"]["right"], &row["colour"]["of"]),
            (&10.into(), &20.into())
        );
        assert_eq!(row["background"]["interval95"][1], 1.0);
    }
}
