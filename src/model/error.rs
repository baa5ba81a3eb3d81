//! What can be asked of the model that it cannot do.

/// Errors of configurations, sizes and options.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(
        "the packed text features are inconsistent: {0}; pack them as rows of all prompts with offsets starting at 0"
    )]
    Packing(String),
    #[error("the model configuration is inconsistent: {0}; use the configuration the checkpoint was trained with")]
    Config(String),
}
