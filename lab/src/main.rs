//! hwc-lab: several full Debian nodes on one machine, from the command line.
//!
//! A thin layer: [`arguments`] says what can be asked, [`run`] calls the library, [`answer`] prints.

mod answer;
mod arguments;
mod run;

use std::process::ExitCode;

use clap::Parser;

use answer::Answer;
use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_json = arguments.is_json;
    match hwc_lab::interrupt::watch()
        .map_err(Into::into)
        .and_then(|()| run::run(arguments))
    {
        Ok(answer) => answer.print(is_json),
        Err(error) => Answer::failure(&error).print(is_json),
    }
}
