//! STUB for trying the page.
use super::ModelError;
use super::config::T5Config;
use super::nn::parameter;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
#[derive(Module, Debug)]
pub struct T5Encoder { pub shared: Param<Tensor<2>> }
impl T5Encoder {
    pub fn new(config: &T5Config, device: &Device) -> Result<Self, ModelError> { Ok(Self { shared: parameter([config.vocab_size, config.d_model], device) }) }
    pub fn forward(&self, ids: Tensor<1, Int>) -> Tensor<2> { self.shared.val().select(0, ids) }
}
