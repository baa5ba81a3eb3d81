//! From a prompt to token ids: the Flan-T5 tokenizer, and on top of it the vocabulary of small models (Sec. 3.1).
//!
//! A small model learned a few hundred words. Its embedding table has only the rows of the token ids in those words.
//! Other words of a prompt are skipped and reported, since a row that was never trained would only add noise.

use std::collections::{BTreeMap, BTreeSet};
use tokenizers::Tokenizer;

/// What can be wrong with a prompt or with the tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    #[error("the tokenizer cannot be read ({0}); take the tokenizer.json of the text encoder")]
    Tokenizer(String),
    #[error("the model's word list and its vocabulary disagree about `{0}`; train or convert the model again")]
    Vocabulary(String),
    #[error("the prompt is empty; say what to draw, for example `a red apple`")]
    Empty,
    #[error("the prompt is {found} tokens long and the model reads at most {limit}; shorten it")]
    TooLong { found: usize, limit: usize },
    #[error("the model has not learned any of these words: {}; try one of its examples", .0.join(", "))]
    Unknown(Vec<String>),
}

/// The input of the text encoder for one prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Token ids, the end of sequence last; for a small model the rows of its reduced embedding table.
    pub ids: Vec<u32>,
    /// Words that were skipped because the model never learned them.
    pub unknown: Vec<String>,
}

/// Turns prompts into token ids.
#[derive(Clone, Debug)]
pub struct PromptEncoder {
    tokenizer: Tokenizer,
    vocabulary: Option<Vocabulary>,
    /// Most token ids of a prompt, the end of sequence included.
    limit: usize,
}

/// The words and token ids a small model was trained on.
#[derive(Clone, Debug)]
struct Vocabulary {
    words: BTreeSet<String>,
    /// Token id -> row of the reduced embedding table.
    rows: BTreeMap<u32, u32>,
}

impl PromptEncoder {
    /// For free text: every token id has its row.
    pub fn new(tokenizer: &[u8], limit: usize) -> Result<Self, TextError> {
        let mut tokenizer = Tokenizer::from_bytes(tokenizer).map_err(|e| TextError::Tokenizer(e.to_string()))?;
        // The limit is checked here, so that no prompt is truncated or padded silently.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|e| TextError::Tokenizer(e.to_string()))?;
        Ok(Self {
            tokenizer,
            vocabulary: None,
            limit,
        })
    }

    /// For text of the given words only; row `i` of the embedding table belongs to token id `token_ids[i]`.
    pub fn with_vocabulary(
        tokenizer: &[u8],
        limit: usize,
        words: &[String],
        token_ids: &[u32],
    ) -> Result<Self, TextError> {
        let mut encoder = Self::new(tokenizer, limit)?;
        let rows = (0..).zip(token_ids).map(|(row, id)| (*id, row)).collect();
        let vocabulary = Vocabulary {
            words: words.iter().cloned().collect(),
            rows,
        };
        for word in words {
            let known = encoder
                .token_ids(word)?
                .iter()
                .all(|id| vocabulary.rows.contains_key(id));
            if !known || *word != normalised(word) {
                return Err(TextError::Vocabulary(word.clone()));
            }
        }
        encoder.vocabulary = Some(vocabulary);
        Ok(encoder)
    }

    /// As a model needs it: with its words if it has a `vocabulary` of token ids, else for free text.
    pub fn for_model(
        tokenizer: &[u8],
        limit: usize,
        words: &[String],
        vocabulary: Option<&[u32]>,
    ) -> Result<Self, TextError> {
        match vocabulary {
            Some(token_ids) => Self::with_vocabulary(tokenizer, limit, words, token_ids),
            None => Self::new(tokenizer, limit),
        }
    }

    /// The words known, in order; empty for a model of free text.
    pub fn words(&self) -> Vec<String> {
        self.vocabulary
            .iter()
            .flat_map(|vocabulary| vocabulary.words.iter().cloned())
            .collect()
    }

    /// Encodes a prompt; one that is empty, too long or of unknown words alone is refused.
    pub fn encode(&self, prompt: &str) -> Result<Prompt, TextError> {
        let prompt = match &self.vocabulary {
            None => Prompt {
                ids: self.token_ids(prompt)?,
                unknown: Vec::new(),
            },
            Some(vocabulary) => self.encode_known(prompt, vocabulary)?,
        };
        // Only the end of sequence is left of an empty text.
        if prompt.ids.len() < 2 {
            return Err(match prompt.unknown.is_empty() {
                true => TextError::Empty,
                false => TextError::Unknown(prompt.unknown),
            });
        }
        if prompt.ids.len() > self.limit {
            return Err(TextError::TooLong {
                found: prompt.ids.len(),
                limit: self.limit,
            });
        }
        Ok(prompt)
    }

    fn encode_known(&self, prompt: &str, vocabulary: &Vocabulary) -> Result<Prompt, TextError> {
        let text = normalised(prompt);
        let (known, unknown): (Vec<&str>, Vec<&str>) = text
            .split(' ')
            .filter(|word| !word.is_empty())
            .partition(|word| vocabulary.words.contains(*word));
        let row = |id: u32| {
            let missing = || TextError::Vocabulary(self.tokenizer.id_to_token(id).unwrap_or_default());
            vocabulary.rows.get(&id).copied().ok_or_else(missing)
        };
        let token_ids = self.token_ids(&known.join(" "))?;
        let mut unknown: Vec<String> = unknown.into_iter().map(str::to_string).collect();
        unknown.dedup();
        Ok(Prompt {
            ids: token_ids.into_iter().map(row).collect::<Result<_, _>>()?,
            unknown,
        })
    }

    /// Token ids and the end of sequence.
    fn token_ids(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let encoded = self.tokenizer.encode_fast(text, true);
        let encoded = encoded.map_err(|error| TextError::Tokenizer(error.to_string()))?;
        Ok(encoded.get_ids().to_vec())
    }
}

/// The words of some captions and the token ids that spell them, for a model trained on those captions: the input of
/// [`PromptEncoder::with_vocabulary`]. The first ids are padding, end of sequence and unknown, as in the full table.
pub fn vocabulary<'a>(
    tokenizer: &[u8],
    captions: impl IntoIterator<Item = &'a str>,
) -> Result<(Vec<String>, Vec<u32>), TextError> {
    const SPECIAL: [u32; 3] = [0, 1, 2];
    let encoder = PromptEncoder::new(tokenizer, usize::MAX)?;
    let mut words = BTreeSet::new();
    for caption in captions {
        words.extend(
            normalised(caption)
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(str::to_string),
        );
    }
    let mut token_ids = BTreeSet::from(SPECIAL);
    for word in &words {
        token_ids.extend(encoder.token_ids(word)?);
    }
    Ok((words.into_iter().collect(), token_ids.into_iter().collect()))
}

/// Lower case, and spaces for whatever is neither letter, digit nor a hyphen or apostrophe inside a word.
fn normalised(text: &str) -> String {
    let characters = text.chars().map(|c| match c {
        '’' => '\'',
        c if c.is_alphanumeric() || c == '\'' || c == '-' => c,
        _ => ' ',
    });
    let text: String = characters.flat_map(char::to_lowercase).collect();
    let words: Vec<&str> = text
        .split(' ')
        .map(|word| word.trim_matches(['\'', '-']))
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

/// Words that set off [`with_positive_prompt`], matched anywhere in the text as the official tools do ("many" holds
/// "man").
const PEOPLE: [&str; 22] = [
    "man",
    "woman",
    "men",
    "women",
    "boy",
    "girl",
    "child",
    "person",
    "human",
    "adult",
    "teenager",
    "employee",
    "employer",
    "worker",
    "mother",
    "father",
    "sister",
    "brother",
    "grandmother",
    "grandfather",
    "son",
    "daughter",
];

/// The official tools' optional augmentation: prompts about people ask for good faces besides.
pub fn with_positive_prompt(prompt: &str) -> String {
    match PEOPLE.iter().any(|word| prompt.contains(word)) {
        true => format!("{prompt}. very smooth faces, good looking faces, face to the camera, perfect facial features"),
        false => prompt.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer() -> Vec<u8> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/t5_tokenizer.json");
        std::fs::read(path).unwrap()
    }

    fn small(limit: usize) -> PromptEncoder {
        let json = tokenizer();
        let (words, token_ids) = vocabulary(&json, ["a red apple", "a strawberry on a blue background"]).unwrap();
        PromptEncoder::with_vocabulary(&json, limit, &words, &token_ids).unwrap()
    }

    #[test]
    fn pieces_are_flan_t5s() {
        let encoder = PromptEncoder::new(&tokenizer(), 512).unwrap();
        // The example every T5 tutorial shows.
        let ids = encoder
            .encode("translate English to German: That is good.")
            .unwrap()
            .ids;
        assert_eq!(ids, [13959, 1566, 12, 2968, 10, 466, 19, 207, 5, 1]);
        // Upper case, doubled spaces and other scripts are the tokenizer's business; two spaces are one.
        assert_eq!(encoder.encode("a  b").unwrap().ids, encoder.encode("a b").unwrap().ids);
        assert!(encoder.encode("日本").unwrap().ids.contains(&2));
    }

    #[test]
    fn a_small_vocabulary_knows_its_words_and_names_the_others() {
        let encoder = small(16);
        assert_eq!(
            encoder.words(),
            ["a", "apple", "background", "blue", "on", "red", "strawberry"]
        );
        let plain = encoder.encode("a red strawberry").unwrap();
        assert_eq!(plain.unknown, Vec::<String>::new());
        assert_eq!(encoder.encode(" A RED, “strawberry”! ").unwrap(), plain);
        let some = encoder.encode("a red zeppelin strawberry").unwrap();
        assert_eq!(
            (some.ids, some.unknown),
            (plain.ids.clone(), vec!["zeppelin".to_string()])
        );
        // Every row fits a table of as many rows as there are token ids, in the order of the ids.
        let (_, token_ids) = vocabulary(&tokenizer(), ["a red apple", "a strawberry on a blue background"]).unwrap();
        let full = PromptEncoder::new(&tokenizer(), 16)
            .unwrap()
            .encode("a red strawberry")
            .unwrap();
        let back: Vec<u32> = plain.ids.iter().map(|row| token_ids[*row as usize]).collect();
        assert_eq!(back, full.ids);
    }

    #[test]
    fn prompts_that_say_nothing_or_too_much_are_refused() {
        let encoder = small(8);
        assert!(matches!(encoder.encode(" ,. "), Err(TextError::Empty)));
        let unknown = encoder.encode("quantum flux").unwrap_err().to_string();
        assert!(unknown.contains("quantum, flux"), "{unknown}");
        let long = "red ".repeat(20);
        assert!(matches!(
            encoder.encode(&long),
            Err(TextError::TooLong { found: 21, limit: 8 })
        ));
        let free = PromptEncoder::new(&tokenizer(), 512).unwrap();
        assert!(matches!(free.encode(""), Err(TextError::Empty)));
        assert!(matches!(
            free.encode(&"word ".repeat(2000)),
            Err(TextError::TooLong { limit: 512, .. })
        ));
    }

    #[test]
    fn a_vocabulary_without_its_pieces_is_refused() {
        let words = ["apple".to_string()];
        let found = PromptEncoder::with_vocabulary(&tokenizer(), 8, &words, &[0, 1, 2]);
        assert!(matches!(found, Err(TextError::Vocabulary(word)) if word == "apple"));
        assert!(matches!(PromptEncoder::new(b"{}", 8), Err(TextError::Tokenizer(_))));
    }

    #[test]
    fn people_ask_for_faces() {
        assert_eq!(with_positive_prompt("a red apple"), "a red apple");
        let found = with_positive_prompt("many apples");
        assert!(found.starts_with("many apples. very smooth faces, ") && found.ends_with("facial features"));
    }
}
