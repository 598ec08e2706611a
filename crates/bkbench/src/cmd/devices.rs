//! `bkbench devices`: every target of this build, opened in a process of its own, with what is behind it or
//! the reason why nothing is. Exit code 0 whatever is there, 4 if a worker does not work.

use std::collections::BTreeMap;

use bk_harness::case::ElementType;
use bk_harness::device::{DeviceClass, DeviceInfo};
use bk_harness::units;
use serde::Serialize;

use super::{pool, served_targets};
use crate::cli::DevicesArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output;
use crate::pool::{Interrupted, Probe};

/// One target.
#[derive(Debug, Serialize)]
struct Row {
    target: String,
    #[serde(flatten)]
    found: Found,
}

/// What is behind it.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Found {
    Available { engine: String, device: Box<DeviceInfo>, versions: BTreeMap<String, String> },
    Unavailable { reason: String },
    Broken { error: String },
}

pub(crate) fn run(arguments: &DevicesArgs) -> Result<Exit, Error> {
    let pool = pool(&arguments.programs, &[])?;
    let mut rows = Vec::new();
    for target in served_targets(&pool) {
        let found = match pool.probe(&target, ElementType::F32) {
            Ok(Probe::Available(greeting)) => Found::Available {
                engine: greeting.engine,
                device: Box::new(greeting.device),
                versions: greeting.versions,
            },
            Ok(Probe::Unavailable(reason)) => Found::Unavailable { reason },
            Ok(Probe::Broken(error)) => Found::Broken { error },
            Err(Interrupted) => return Err(Error::Interrupted),
        };
        rows.push(Row { target, found });
    }
    if arguments.json {
        output::json(&rows)?;
    } else if rows.is_empty() {
        output::text("this bkbench was built without any target: build it with its default features")?;
    } else {
        output::text(&text(&rows))?;
    }
    let broken = rows.iter().any(|row| matches!(row.found, Found::Broken { .. }));
    Ok(if broken { Exit::ExecutionFailed } else { Exit::Pass })
}

/// The devices in a table, and below it the reasons of what is missing, which are sentences.
fn text(rows: &[Row]) -> String {
    let mut table =
        output::table(["target", "device", "runtime", "driver", "memory", "L2", "largest tensor"]);
    let mut missing = String::new();
    for Row { target, found } in rows {
        match found {
            Found::Available { device, .. } => {
                table.add_row(facts(target, device));
            }
            Found::Unavailable { reason } => missing += &format!("{target}: not available, {reason}\n"),
            Found::Broken { error } => missing += &format!("{target}: broken, {error}\n"),
        }
    }
    if table.is_empty() { missing } else { format!("{}\n{missing}", table.trim_fmt()) }
}

fn facts(target: &str, device: &DeviceInfo) -> [String; 7] {
    let class = match device.class {
        DeviceClass::Gpu => "",
        DeviceClass::Software => " (software, on the CPU)",
        DeviceClass::Cpu => " (CPU)",
    };
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), units::memory);
    [
        target.to_owned(),
        format!("{}{class}", device.name),
        device.runtime.clone(),
        device.driver.clone().unwrap_or_else(|| "-".to_owned()),
        bytes(device.memory_bytes),
        bytes(device.l2_bytes),
        bytes(device.max_tensor_bytes),
    ]
}
