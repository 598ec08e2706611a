//! `bkbench worker --target cuda`: the other end of `pool`. Not for people: it opens a target, then reads
//! requests from standard input and writes events to standard output, as `bk_harness::protocol` has it.

use std::io::{self, BufReader};

use crate::cli::WorkerArgs;
use crate::engine::{self, Setup};
use crate::error::Error;
use crate::exit::Exit;
use crate::{stdout, worker};

pub(crate) fn run(arguments: &WorkerArgs) -> Result<Exit, Error> {
    stdout::die_with_parent();
    let mut output = stdout::claim().map_err(Error::Serve)?;
    let setup = Setup {
        autotune: arguments.autotune,
        single_stream: arguments.single_stream,
        kernel_cache: arguments.kernel_cache.clone(),
    };
    match engine::open(&arguments.target, arguments.dtype, &setup) {
        Ok(mut engine) => {
            let input = BufReader::new(io::stdin());
            worker::serve(engine.as_mut(), input, &mut output).map_err(Error::Serve)?;
        }
        Err(reason) => worker::refuse(reason, &mut output).map_err(Error::Serve)?,
    }
    Ok(Exit::Pass)
}
