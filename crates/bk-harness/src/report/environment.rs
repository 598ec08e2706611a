//! Machine, program and devices.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::table::Table;
use super::target_label;
use crate::device::{DeviceClass, DeviceInfo};
use crate::record::{Run, TargetRecord};
use crate::units;

pub(super) fn environment(run: &Run) -> String {
    let mut text = String::from("### Machine and program\n\n");
    for (name, value) in facts(run) {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text + "\n" + &devices(run).markdown() + "\n"
}

/// What is known of the machine and the program, by name.
pub(super) fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let environment = &run.environment;
    let build = &environment.build;
    let mut facts = Vec::new();
    let mut item = |name: &'static str, value: String| {
        if !value.is_empty() {
            facts.push((name, value));
        }
    };
    item("started", run.started.to_string());
    item("took", units::time(run.elapsed_seconds));
    item("host", environment.host.clone().unwrap_or_default());
    item("CPU", cpu(run));
    item("memory", units::memory(environment.memory_bytes));
    let kernel = environment.os_kernel.iter().map(|kernel| format!(" (kernel {kernel})")).collect::<String>();
    item("system", format!("{}{kernel}, {}", environment.os, environment.architecture));
    item("program", program(run));
    item("features", build.features.join(", "));
    item("crates", pairs(&build.crate_versions, " "));
    item("variables", pairs(&environment.variables, "="));
    facts
}

fn cpu(run: &Run) -> String {
    let environment = &run.environment;
    let mut text = environment.cpu.clone().unwrap_or_else(|| "unknown".to_owned());
    if let Some(cores) = environment.physical_cores {
        let _ = write!(text, ", {cores} cores");
    }
    if let Some(threads) = environment.available_threads {
        let _ = write!(text, ", {threads} threads available");
    }
    text
}

fn program(run: &Run) -> String {
    let build = &run.environment.build;
    let revision = build.git_revision.as_deref().map_or_else(String::new, |revision| {
        let dirty = if build.git_dirty == Some(true) { " with changes" } else { "" };
        format!(", revision {revision}{dirty}")
    });
    format!("version {}{revision}, {}", build.version, build.rustc)
}

fn pairs(pairs: &BTreeMap<String, String>, between: &str) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}{between}{value}")).collect();
    pairs.join(", ")
}

pub(super) fn devices(run: &Run) -> Table {
    let mut table = Table::new()
        .text("target")
        .text("device")
        .text("executed by")
        .text("runtime")
        .text("driver")
        .number("memory")
        .number("L2")
        .number("units")
        .number("plane");
    for (name, record) in &run.targets {
        match record {
            TargetRecord::Available { device, .. } => table.row(device_row(&target_label(run, name), device)),
            TargetRecord::Unavailable { reason } => {
                let mut cells = vec![String::new(); 9];
                cells[0].clone_from(name);
                cells[1] = format!("not available: {reason}");
                table.row(cells);
            }
        }
    }
    table
}

fn device_row(label: &str, device: &DeviceInfo) -> Vec<String> {
    let class = match device.class {
        DeviceClass::Gpu => "GPU",
        DeviceClass::Software => "CPU, through a GPU interface",
        DeviceClass::Cpu => "CPU",
    };
    let number = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
    let size = |value: Option<u64>| value.map_or_else(String::new, units::memory);
    vec![
        label.to_owned(),
        device.name.clone(),
        class.to_owned(),
        device.runtime.clone(),
        device.driver.clone().unwrap_or_default(),
        size(device.memory_bytes),
        size(device.l2_bytes),
        number(device.multiprocessors),
        number(device.plane_size),
    ]
}
