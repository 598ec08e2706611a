//! `bkbench schema > bkbench.schema.json`, then `#:schema bkbench.schema.json` at the head of a config:
//! editors complete and check its keys. `results` and `protocol` are for programs that read results or
//! serve as workers.

use bk_harness::config::config_schema;
use bk_harness::protocol::{Event, Request};
use bk_harness::record::Run;
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use crate::cli::{SchemaArgs, SchemaOf};
use crate::error::Error;
use crate::exit::Exit;
use crate::output;

/// What goes over the pipes: requests one way, events the other.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Message {
    /// Standard input of the worker.
    Request(Request),
    /// Standard output of the worker.
    Event(Event),
}

pub(crate) fn run(arguments: &SchemaArgs) -> Result<Exit, Error> {
    let schema: Value = match arguments.of {
        SchemaOf::Config => config_schema(),
        SchemaOf::Results => schema_for!(Run).to_value(),
        SchemaOf::Protocol => schema_for!(Message).to_value(),
    };
    output::json(&schema)?;
    Ok(Exit::Pass)
}
