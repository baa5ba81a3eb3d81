//! The command line: one subcommand a file, each on the same engine as the page.

mod bench;
mod convert;
mod data;
mod error;
mod eval;
mod generate;
mod pack;
mod processor;
mod source;
mod stream;
mod train;
mod train_model;

pub use bench::Bench;
pub use convert::Convert;
pub use data::Data;
pub use error::CliError;
pub use eval::Eval;
pub use generate::{Generate, GenerateError};
pub use pack::Pack;
pub use train::Train;

use clap::Parser;

/// Infinity: text to image, one scale of bits at a time.
#[derive(Debug, Parser)]
#[command(name = "infinity", version, about)]
pub enum Cli {
    Bench(Bench),
    Convert(Convert),
    Data(Data),
    Eval(Eval),
    Generate(Generate),
    Train(Train),
    Pack(Pack),
}

impl Cli {
    pub fn run(self) -> Result<(), CliError> {
        match self {
            Self::Bench(bench) => bench.run(),
            Self::Convert(convert) => convert.run(),
            Self::Data(data) => data.run(),
            Self::Eval(eval) => eval.run(),
            Self::Generate(generate) => Ok(generate.run()?),
            Self::Train(train) => train.run(),
            Self::Pack(pack) => pack.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn options_are_consistent() {
        Cli::command().debug_assert();
    }
}
