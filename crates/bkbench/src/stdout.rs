//! Standard output of a worker: the protocol's alone.

use std::fs::File;
use std::io;

/// Takes standard output away from the rest of the process and returns it; what libraries print from now
/// on goes to standard error.
///
/// # Errors
/// When the operating system refuses to duplicate a descriptor.
#[cfg(unix)]
pub(crate) fn claim() -> io::Result<File> {
    use std::os::fd::AsFd;

    let protocol = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(protocol))
}

/// As on Unix, but libraries are trusted not to print.
#[cfg(windows)]
pub(crate) fn claim() -> io::Result<File> {
    use std::os::windows::io::AsHandle;

    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

/// Has the operating system end this process when its parent dies, however it dies. Elsewhere than on
/// Linux the end of the input has to do.
pub(crate) fn die_with_parent() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};

        // Refused only for an invalid signal; the worker then ends with its input.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
}
