//! The command line tool; the browser's entry is `src/web`.

fn main() -> std::process::ExitCode {
    use clap::Parser;
    match infinity::cli::Cli::parse().run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
