//! `infinity bench memory`: what an image takes on a GPU, planned from the sizes alone.

use super::super::CliError;
use crate::engine::EngineError;
use crate::kernels::MAX_BINDING;
use crate::kernels::matmul::WeightFormat;
use crate::model::memory::{Networks, Part, memory};
use crate::model::official::{self, flan_t5_xl};
use crate::model::schedule::TEMPLATES;
use crate::profiling::image::{Side, Size};
use clap::Args;

/// Plan the memory of an image of an official size, part by part
#[derive(Args, Debug)]
pub struct Memory {
    #[arg(long, value_enum, default_value_t = Size::Large)]
    model: Size,
    /// Pixels a side
    #[arg(long, value_enum, default_value_t = Side::P1024)]
    size: Side,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=512))]
    text: u32,
    /// How the weights of layers are kept: f32, f16, q8 or q4
    #[arg(long, value_name = "FORM", default_value = "q4", value_parser = super::super::generate::form)]
    weights: WeightFormat,
}

impl Memory {
    pub fn run(self) -> Result<(), CliError> {
        let (transformer, text_encoder) = (self.model.transformer(), flan_t5_xl());
        let vae = official::vae(transformer.bits);
        let schedule = TEMPLATES[0].schedule(self.size.scales()).map_err(EngineError::from)?;
        let planned = memory(&Networks {
            text_encoder: &text_encoder,
            transformer: &transformer,
            vae: &vae,
            schedule: &schedule,
            text: self.text as usize,
            weights: self.weights,
        });
        let planned = planned.map_err(EngineError::from)?;
        println!("| part | MB | largest tensor MB |");
        println!("|---|---:|---:|");
        for part in &planned.held {
            print(part);
        }
        for part in &planned.passing {
            print(part);
        }
        let megabytes = |bytes: usize| bytes as f64 / 1e6;
        let largest = planned.largest();
        println!(
            "| at most, of the last three one at a time | {:.0} | {:.0} |",
            megabytes(planned.peak()),
            megabytes(largest.largest)
        );
        if largest.largest > MAX_BINDING {
            println!("\n{} is more than WebGPU lets a shader see by default", largest.name);
        }
        Ok(())
    }
}

fn print(part: &Part) {
    println!(
        "| {} | {:.0} | {:.1} |",
        part.name,
        part.bytes as f64 / 1e6,
        part.largest as f64 / 1e6
    );
}
