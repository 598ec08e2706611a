//! The clocks of a GPU while something else than CUDA computes on it.
//!
//! An NVIDIA driver lets the clocks of a card fall as soon as nothing computes, and raises them again over seconds,
//! unless a CUDA context is open. A program that uses Vulkan alone was measured at 345 to 960 MHz on an H100 whose
//! kernels run at 1980 MHz through CUDA (`docs/perf-log.md`): its launches are short, and between them the host
//! waits. Targets are comparable on the same clocks only.

use cudarc::driver::{result as driver, sys};

/// Opens a CUDA context on the card called `name` for as long as the process lives. Returns whether there is one: not
/// where no CUDA driver has a card of that name.
pub(super) fn hold_up(name: &str) -> bool {
    // SAFETY: only looks for a library.
    if !unsafe { sys::is_culib_present() } || driver::init().is_err() {
        return false;
    }
    let count = driver::device::get_count().unwrap_or(0);
    let devices = (0..count).filter_map(|ordinal| driver::device::get(ordinal).ok());
    let mut named =
        devices.filter(|device| driver::device::get_name(*device).is_ok_and(|found| found == name));
    // SAFETY: the device handle comes from the driver.
    named.next().is_some_and(|device| unsafe { driver::primary_ctx::retain(device) }.is_ok())
}
