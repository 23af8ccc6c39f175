//! The program: reads the command line and the environment, runs one command, turns its end into an exit
//! code. Everything else is in the library.

use std::process::ExitCode;

use relink::program;

fn main() -> ExitCode {
    program::run()
}
