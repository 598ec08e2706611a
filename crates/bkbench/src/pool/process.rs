//! One worker process: what it is told, what it says, and how it dies.

use std::io::{self, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bk_harness::protocol::Request;

use super::lines::Lines;
use super::stderr::StderrLog;
use crate::interrupt::{Interrupt, kill_group};

/// How often a wait looks at the interrupt flag: often enough for a person, too seldom to disturb a
/// measurement on the same CPU.
const INTERRUPT_POLL: Duration = Duration::from_millis(250);

/// Quiet time after which everything that the worker wrote to standard error has arrived.
const STDERR_SETTLES: Duration = Duration::from_millis(20);

/// Time for a worker that was asked to end, or whose output has ended, before it is killed.
const EXIT_GRACE: Duration = Duration::from_secs(5);

/// A running worker. Dropping it kills the worker and everything it started.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Message>,
    log: StderrLog,
    /// A line of standard output that came while nobody waited for one: the first.
    unasked: Option<String>,
    output_ended: bool,
    interrupt: Interrupt,
}

/// What a reader thread saw.
#[derive(Debug)]
enum Message {
    Output(String),
    OutputEnded,
    Stderr(String),
}

/// What came out of waiting for a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A line of standard output.
    Line(String),
    /// Standard output has ended: the worker is dead or dying.
    Ended,
    /// Nothing before the deadline.
    TimedOut,
    /// The user asked to stop.
    Interrupted,
}

impl WorkerProcess {
    /// Starts `command` with its standard streams connected to this process, as the leader of a process
    /// group of its own: a terminal's Ctrl-C reaches this process alone, and a wrapper script dies with
    /// what it started.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(super) fn spawn(mut command: Command, interrupt: &Interrupt) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        interrupt.watch_over(Some(child.id()));

        let (sender, messages) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            let sender = sender.clone();
            thread::spawn(move || {
                forward(output, &sender, Message::Output);
                let _ = sender.send(Message::OutputEnded);
            });
        }
        if let Some(errors) = child.stderr.take() {
            thread::spawn(move || forward(errors, &sender, Message::Stderr));
        }
        let input = child.stdin.take();
        Ok(Self {
            child,
            input,
            messages,
            log: StderrLog::default(),
            unasked: None,
            output_ended: false,
            interrupt: interrupt.clone(),
        })
    }

    /// Writes one request. A worker that is gone shows at the next [`WorkerProcess::receive`].
    pub(super) fn send(&mut self, request: &Request) -> io::Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(&line)?;
        input.flush()
    }

    /// Waits for the next line of standard output until `deadline`.
    pub(super) fn receive(&mut self, deadline: Instant) -> Received {
        loop {
            if self.interrupt.requested() {
                return Received::Interrupted;
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(remaining.min(INTERRUPT_POLL)) {
                Ok(Message::Output(line)) => return Received::Line(line),
                Ok(Message::Stderr(line)) => self.log.push(line),
                Ok(Message::OutputEnded) | Err(RecvTimeoutError::Disconnected) => return Received::Ended,
                Err(RecvTimeoutError::Timeout) if remaining.is_zero() => return Received::TimedOut,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Whether the worker has ended, or can at least no longer answer.
    pub(super) fn has_ended(&mut self) -> bool {
        self.output_ended || !matches!(self.child.try_wait(), Ok(None))
    }

    /// Standard error so far, after the lines that are still on their way have arrived.
    pub(super) fn settled_log(&mut self) -> &mut StderrLog {
        while let Ok(message) = self.messages.recv_timeout(STDERR_SETTLES) {
            match message {
                Message::Stderr(line) => self.log.push(line),
                Message::Output(line) => {
                    self.unasked.get_or_insert(line);
                }
                Message::OutputEnded => self.output_ended = true,
            }
        }
        &mut self.log
    }

    /// A line of standard output that came while standard error settled.
    pub(super) fn take_unasked(&mut self) -> Option<String> {
        self.unasked.take()
    }

    /// How a worker whose output has ended died, with its panic or the last lines of its standard error.
    pub(super) fn cause_of_death(&mut self) -> String {
        let status = match self.wait(EXIT_GRACE) {
            Some(status) => status.to_string(),
            None => "it closed its output but did not end".to_owned(),
        };
        let log = self.settled_log();
        // A panic says why; the lines behind it are its backtrace.
        match log.take_panic().or_else(|| log.tail()) {
            Some(tail) => format!("{status}; it wrote: {tail}"),
            None => format!("{status}; it wrote nothing to standard error"),
        }
    }

    /// Asks the worker to end, and kills it if it does not within a few seconds.
    pub(super) fn end(mut self) {
        let _ = self.send(&Request::Exit);
        self.input = None;
        self.wait(EXIT_GRACE);
    }

    fn wait(&mut self, grace: Duration) -> Option<std::process::ExitStatus> {
        let deadline = Instant::now() + grace;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= deadline || self.interrupt.requested() {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.interrupt.watch_over(None);
        kill_group(self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends every line of `source` until it ends or nobody listens.
fn forward(source: impl io::Read, sender: &Sender<Message>, wrap: fn(String) -> Message) {
    for line in Lines::new(BufReader::new(source)) {
        if sender.send(wrap(line)).is_err() {
            return;
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{Received, WorkerProcess};
    use crate::interrupt::Interrupt;

    fn shell(script: &str, interrupt: &Interrupt) -> WorkerProcess {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        WorkerProcess::spawn(command, interrupt).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn a_missing_program_is_an_error_at_the_start() {
        let command = Command::new("/nonexistent/worker");
        let error = WorkerProcess::spawn(command, &Interrupt::default()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }

    #[test]
    fn output_and_standard_error_are_kept_apart() {
        let mut worker = shell("echo noise >&2; echo answer", &Interrupt::default());
        assert_eq!(worker.receive(soon()), Received::Line("answer".to_owned()));
        assert_eq!(worker.settled_log().tail().unwrap(), "noise");
    }

    #[test]
    fn silence_ends_at_the_deadline() {
        let mut worker = shell("sleep 60", &Interrupt::default());
        let deadline = Instant::now() + Duration::from_millis(50);
        assert_eq!(worker.receive(deadline), Received::TimedOut);
        assert!(Instant::now() >= deadline);
    }

    #[test]
    fn an_exit_code_is_told_with_the_last_words() {
        let mut worker = shell("echo no driver >&2; exit 7", &Interrupt::default());
        assert_eq!(worker.receive(soon()), Received::Ended);
        let cause = worker.cause_of_death();
        assert!(cause.contains("exit status: 7") && cause.contains("no driver"), "{cause}");
    }

    #[test]
    fn a_panic_is_told_rather_than_its_backtrace() {
        let panic = "thread 'main' panicked at src/open.rs:1:2:";
        let script = format!("(echo \"{panic}\"; echo no libcuda; seq 30) >&2; exit 101");
        let mut worker = shell(&script, &Interrupt::default());
        assert_eq!(worker.receive(soon()), Received::Ended);
        let cause = worker.cause_of_death();
        assert!(cause.ends_with(&format!("{panic} no libcuda")), "{cause}");
    }

    #[test]
    fn a_signal_is_told_by_name() {
        let mut worker = shell("kill -9 $$", &Interrupt::default());
        assert_eq!(worker.receive(soon()), Received::Ended);
        let cause = worker.cause_of_death();
        assert!(cause.contains("SIGKILL"), "{cause}");
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let interrupt = Interrupt::default();
        let mut worker = shell("sleep 60", &interrupt);
        interrupt.request();
        assert_eq!(worker.receive(soon()), Received::Interrupted);
    }

    #[test]
    fn dropping_a_wrapper_kills_what_it_started() {
        let mut worker = shell("sleep 60 & echo $!; wait", &Interrupt::default());
        let Received::Line(grandchild) = worker.receive(soon()) else { panic!("no process id") };
        drop(worker);
        let gone = || {
            let status = std::fs::read_to_string(format!("/proc/{grandchild}/status")).unwrap_or_default();
            status.is_empty() || status.contains("State:\tZ")
        };
        let deadline = soon();
        while !gone() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(gone(), "process {grandchild} is still there");
    }
}
