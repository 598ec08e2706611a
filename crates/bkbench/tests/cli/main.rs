//! The program end to end, without a device: every target is served by the `fake_worker` example.

#![allow(clippy::unwrap_used, reason = "in the helpers of tests too, a panic is how a test fails")]

mod bench;

mod bad_input; // configs, selections and folders that cannot be used: exit code 2, nothing runs
mod commands; //  plan, verify, report, devices, schema, completions, worker
mod engines; //   external engines: proven here, timed there; every way to get it wrong
mod files; //     what a run leaves behind, and a disk that does not take it
mod interrupted; // Ctrl-C, kill -9, --resume
mod page; //      the HTML page in a browser
mod peers; //     the programs of peers/, where Python has what they need
mod suite; //     memory and throughput of the model, and their files
mod verdicts; //  exit codes 0 to 5 and which one wins
mod workers; //   crashes, hangs and nonsense cost one case
