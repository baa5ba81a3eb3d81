//! What can be asked of the model that it cannot do.

/// Errors of configurations, sizes and options.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("an image of {height} x {width} is not possible; give a height and width above zero")]
    Size { height: f64, width: f64 },
    #[error("a schedule of {scales} scales is not possible; choose 1 to 13")]
    Scales { scales: usize },
    #[error("the grids {grids:?} hold an empty or oversized scale; every side must be 1 to 4096 tokens")]
    Grids { grids: Vec<(usize, usize)> },
    #[error("{option} = {value} is not possible; {remedy}")]
    Option {
        option: &'static str,
        value: String,
        remedy: &'static str,
    },
    #[error("{option} lists {found} numbers for {scales} scales; give one number, or one for each scale")]
    ListLength {
        option: &'static str,
        found: usize,
        scales: usize,
    },
    #[error(
        "the packed text features are inconsistent: {0}; pack them as rows of all prompts with offsets starting at 0"
    )]
    Packing(String),
    #[error("the model configuration is inconsistent: {0}; use the configuration the checkpoint was trained with")]
    Config(String),
}
