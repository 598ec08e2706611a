//! Ctrl-C: the first asks for an orderly end, the second ends at once.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Exit code of a second Ctrl-C: 128 + SIGINT, as shells have it.
const ENDED_AT_ONCE: i32 = 130;

/// Whether the user asked to stop. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<State>);

#[derive(Debug, Default)]
struct State {
    requested: AtomicBool,
    /// Process id of the worker that is running; 0 when there is none.
    worker: AtomicU32,
}

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on.
    ///
    /// # Errors
    /// When the operating system refuses the handler.
    pub(crate) fn install() -> Result<Self, ctrlc::Error> {
        let interrupt = Self::default();
        let handler = interrupt.clone();
        ctrlc::set_handler(move || {
            if handler.0.requested.swap(true, Ordering::SeqCst) {
                kill_group(handler.0.worker.load(Ordering::SeqCst));
                exit(ENDED_AT_ONCE);
            }
        })?;
        Ok(interrupt)
    }

    /// Whether the user asked to stop.
    pub(crate) fn requested(&self) -> bool {
        self.0.requested.load(Ordering::SeqCst)
    }

    /// Which worker a second Ctrl-C has to take along; `None` once it has ended.
    pub(crate) fn watch_over(&self, worker: Option<u32>) {
        self.0.worker.store(worker.unwrap_or(0), Ordering::SeqCst);
    }

    /// Stops as Ctrl-C does.
    #[cfg(test)]
    pub(crate) fn request(&self) {
        self.0.requested.store(true, Ordering::SeqCst);
    }
}

/// Kills a worker and what it started: its process group, of which it is the leader.
#[cfg(unix)]
pub(crate) fn kill_group(leader: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};

    if let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        // It may have ended on its own, which is as good.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Without process groups, the worker ends when its input does.
#[cfg(not(unix))]
pub(crate) fn kill_group(_leader: u32) {}
