//! Cases that cannot fit, told before anything runs.

use super::AnalyticBytes;
use crate::case::Case;
use crate::device::{DeviceClass, DeviceInfo};
use crate::units;

/// Why `case` cannot run on `device`, with the numbers; `None` where it may, where its sizes are unknown,
/// and where the case says `force`.
///
/// The prediction is a lower bound, so nothing that would fit is refused. `host_memory_bytes` is what the
/// machine has: on a CPU that is the device's memory.
pub fn refusal(case: &Case, device: &DeviceInfo, host_memory_bytes: u64) -> Option<String> {
    let spec = case.workload.phase2().filter(|spec| !spec.force)?;
    let needed = AnalyticBytes::of(spec, case.dtype);
    let forced = "`force = true` in the config, or `--set force=true`, runs it nevertheless";
    let memory = match device.class {
        DeviceClass::Gpu => device.memory_bytes,
        DeviceClass::Software | DeviceClass::Cpu => Some(host_memory_bytes),
    };
    if let Some(memory) = memory.filter(|memory| needed.total() > *memory) {
        return Some(format!(
            "cannot fit: by prediction it needs {} (weights {}, activations {}, logits {}) and {} has {}; {forced}",
            units::bytes(needed.total() as f64),
            units::bytes(needed.weights as f64),
            units::bytes(needed.activations as f64),
            units::bytes(needed.logits as f64),
            device.name,
            units::bytes(memory as f64),
        ));
    }
    let largest = AnalyticBytes::largest_tensor(spec, case.dtype);
    let most = device.max_tensor_bytes.filter(|most| largest > *most)?;
    Some(format!(
        "cannot fit: its largest tensor has {} and {} takes {} at most; lower `vocabulary`, `batch` or `n`; {forced}",
        units::bytes(largest as f64),
        device.name,
        units::bytes(most as f64),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{ElementType, Mode, Phase2Spec, Preset, WorkloadSpec};
    use crate::testing;

    fn case(force: bool) -> Case {
        let spec = Phase2Spec { force, ..crate::models::tests::spec(Preset::Base, Mode::Forward, 1, 4096) };
        let workload = WorkloadSpec::Phase2Memory(spec);
        Case {
            dtype: ElementType::F16,
            workload,
            ..testing::case("cuda", crate::case::Implementation::Kernel, 1)
        }
    }

    fn gpu(memory_bytes: Option<u64>, max_tensor_bytes: Option<u64>) -> DeviceInfo {
        let record = testing::available("cuda", "Example GPU", DeviceClass::Gpu, "cuda");
        DeviceInfo { memory_bytes, max_tensor_bytes, ..record.device().unwrap().clone() }
    }

    #[test]
    fn a_case_that_cannot_fit_is_refused_with_the_numbers() {
        let why = refusal(&case(false), &gpu(Some(500_000_000), None), 1 << 40).unwrap();
        assert!(why.contains("logits 412 MB") && why.contains("Example GPU has 500 MB"), "{why}");
        assert!(why.contains("--set force=true"), "{why}");
        assert_eq!(refusal(&case(false), &gpu(Some(80_000_000_000), None), 0), None);
        assert_eq!(refusal(&case(false), &gpu(None, None), 0), None, "nothing is refused on a guess");
    }

    #[test]
    fn a_tensor_that_the_runtime_cannot_hold_is_refused_though_the_memory_would_do() {
        let why = refusal(&case(false), &gpu(Some(80_000_000_000), Some(1 << 27)), 0).unwrap();
        assert!(why.contains("largest tensor has 412 MB") && why.contains("takes 134 MB"), "{why}");
    }

    #[test]
    fn force_runs_it_nevertheless() {
        assert_eq!(refusal(&case(true), &gpu(Some(1), Some(1)), 0), None);
    }

    #[test]
    fn a_cpu_is_limited_by_the_memory_of_the_machine() {
        let cpu = DeviceInfo { class: DeviceClass::Cpu, ..gpu(None, None) };
        assert!(refusal(&case(false), &cpu, 100_000_000).is_some());
        assert_eq!(refusal(&case(false), &cpu, 1 << 34), None);
    }
}
