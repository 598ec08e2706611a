//! The pool against shell scripts that play a worker.

use std::time::Duration;

use bk_harness::case::{Case, ElementType, Strategy};
use bk_harness::outcome::{CaseResult, Outcome};
use bk_harness::protocol::Phase;
use bk_harness::vectors::VectorsOutcome;

use super::{Greeting, Interrupted, Launcher, Observer, Pool, Probe, WorkerSettings};
use crate::interrupt::Interrupt;
use crate::testing::{case, memory_case};

/// A worker in shell: says hello, then for each request whatever `answer` prints; `$id` is the case's id.
fn script(answer: &str) -> String {
    let device = r#"{"target":"cuda","name":"fake","class":"cpu","runtime":"sh","driver":null,
        "multiprocessors":null,"memory_bytes":null,"l2_bytes":null,"max_tensor_bytes":null,"plane_size":null}"#;
    let hello = format!(
        r#"{{"event":"hello","protocol":2,"role":"worker","engine":"sh","device":{device},"versions":{{}}}}"#
    );
    format!(
        "echo '{}'\nwhile read -r line; do\n\
         id=$(echo \"$line\" | sed -n 's/.*\"id\":\"\\([^\"]*\\)\".*/\\1/p')\n{answer}\ndone",
        hello.replace('\n', "")
    )
}

/// A line of script that answers a case with a skip.
const SKIP: &str = r#"echo "{\"event\":\"result\",\"case\":\"$id\",\"outcome\":{\"status\":\"skipped\",\"reason\":\"done\"}}""#;

fn pool(script: &str, interrupt: &Interrupt) -> Pool {
    let worker = super::ExternalWorker {
        target: "cuda".to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
    };
    let launcher = Launcher::new(&[worker], &[]).unwrap();
    Pool { hello_timeout: Duration::from_secs(10), ..Pool::new(launcher, interrupt.clone()) }
}

#[derive(Default)]
struct Log {
    opened: Vec<String>,
    rehearsed: Vec<String>,
    phases: Vec<Phase>,
    results: Vec<CaseResult>,
}

impl Observer for Log {
    fn opened(&mut self, target: &str, greeting: &Greeting) {
        self.opened.push(format!("{target} {}", greeting.device.name));
    }
    fn rehearsed(&mut self, case: &Case) {
        self.rehearsed.push(case.id.clone());
    }
    fn started(&mut self, _case: &Case) {}
    fn phase(&mut self, _case: &Case, phase: Phase) {
        self.phases.push(phase);
    }
    fn finished(&mut self, result: CaseResult) {
        self.results.push(result);
    }
}

/// Cases `a`, `b`, `c`, ... on one target.
fn cases(names: &str) -> Vec<Case> {
    names.chars().map(|name| Case { id: name.to_string(), ..case("cuda") }).collect()
}

fn run(answer: &str, names: &str) -> Log {
    let mut log = Log::default();
    pool(&script(answer), &Interrupt::default())
        .run(&cases(names), &WorkerSettings::default(), &mut log)
        .unwrap();
    log
}

fn error(result: &CaseResult) -> &str {
    match &result.outcome {
        Outcome::Failed { error } => error,
        other => panic!("{} did not fail: {other:?}", result.case.id),
    }
}

fn is_done(result: &CaseResult) -> bool {
    result.outcome == Outcome::Skipped { reason: "done".to_owned() }
}

#[test]
fn one_worker_runs_all_cases_of_a_target_in_order() {
    let log = run(SKIP, "abc");
    assert_eq!(log.opened, ["cuda fake"]);
    assert!(log.results.iter().all(is_done), "{:?}", log.results);
    assert_eq!(log.results.iter().map(|result| result.case.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn each_type_gets_a_worker_of_its_own() {
    let mut cases = cases("ab");
    cases[1].dtype = ElementType::Bf16;
    let mut log = Log::default();
    pool(&script(SKIP), &Interrupt::default()).run(&cases, &WorkerSettings::default(), &mut log).unwrap();
    assert_eq!(log.opened.len(), 2);
}

#[test]
fn phases_are_passed_on() {
    let phase = r#"echo "{\"event\":\"phase\",\"case\":\"$id\",\"phase\":\"warm_up\"}""#;
    assert_eq!(run(&format!("{phase}\n{SKIP}"), "a").phases, [Phase::WarmUp]);
}

#[test]
fn a_worker_that_is_killed_costs_one_case() {
    let log = run(&format!("[ $id = b ] && {{ echo CUDA error 719 >&2; kill -9 $$; }}\n{SKIP}"), "abc");
    assert!(is_done(&log.results[0]) && is_done(&log.results[2]));
    let error = error(&log.results[1]);
    assert!(
        error.contains("SIGKILL") && error.contains("CUDA error 719") && error.contains("run b"),
        "{error}"
    );
}

#[test]
fn a_worker_that_ends_between_cases_costs_none() {
    struct Unhurried(Log);
    impl Observer for Unhurried {
        fn rehearsed(&mut self, _case: &Case) {}
        fn opened(&mut self, _: &str, _: &Greeting) {}
        fn started(&mut self, _: &Case) {}
        fn phase(&mut self, _: &Case, _: Phase) {}
        fn finished(&mut self, result: CaseResult) {
            // Long enough for the worker to be gone before the next case.
            std::thread::sleep(Duration::from_millis(300));
            self.0.finished(result);
        }
    }
    let mut observer = Unhurried(Log::default());
    let pool = pool(&script(&format!("{SKIP}\nexit 0")), &Interrupt::default());
    pool.run(&cases("ab"), &WorkerSettings::default(), &mut observer).unwrap();
    assert!(observer.0.results.iter().all(is_done), "{:?}", observer.0.results);
}

#[test]
fn a_line_behind_the_result_fails_the_case() {
    let log = run(&format!("{SKIP}\n[ $id = a ] && echo bye"), "ab");
    assert!(error(&log.results[0]).contains("`bye` where nothing more was due"));
    assert!(is_done(&log.results[1]));
}

#[test]
fn a_hanging_worker_is_killed_at_its_time_out_and_costs_one_case() {
    let mut cases = cases("abc");
    cases[1].measure.timeout_seconds = 0.1;
    let mut log = Log::default();
    let answer = format!("[ $id = b ] && sleep 60\n{SKIP}");
    pool(&script(&answer), &Interrupt::default()).run(&cases, &WorkerSettings::default(), &mut log).unwrap();
    assert!(is_done(&log.results[0]) && is_done(&log.results[2]));
    let error = error(&log.results[1]);
    assert!(error.contains("within 0.1 s") && error.contains("timeout_seconds"), "{error}");
}

#[test]
fn a_line_that_is_no_message_fails_the_case_and_is_quoted() {
    let log = run(&format!("[ $id = a ] && echo Autotune: picked kernel 3\n{SKIP}"), "ab");
    assert!(error(&log.results[0]).contains("`Autotune: picked kernel 3`"));
    assert!(is_done(&log.results[1]));
}

#[test]
fn a_result_of_another_case_fails_the_case() {
    let log = run(&format!("[ $id = a ] && id=z\n{SKIP}"), "ab");
    assert!(error(&log.results[0]).contains("an answer to `run a` was due"));
    assert!(is_done(&log.results[1]));
}

#[test]
fn a_panic_on_another_thread_voids_the_result_and_a_fresh_worker_goes_on() {
    let panic = "echo \"thread 'stream' panicked at src/server.rs:1:2:\" >&2; echo page gone >&2";
    let log = run(&format!("[ $id = a ] && {{ {panic}; }}\n{SKIP}"), "ab");
    let error = error(&log.results[0]);
    assert!(error.contains("src/server.rs:1:2: page gone"), "{error}");
    assert!(is_done(&log.results[1]));
}

#[test]
fn a_target_that_says_why_it_is_missing_skips_its_cases() {
    let mut log = Log::default();
    let unavailable = r#"echo '{"event":"unavailable","protocol":2,"reason":"no adapter"}'"#;
    pool(unavailable, &Interrupt::default()).run(&cases("ab"), &WorkerSettings::default(), &mut log).unwrap();
    for result in &log.results {
        assert_eq!(result.outcome, Outcome::Skipped { reason: "no adapter".to_owned() });
    }
    assert_eq!(log.results.len(), 2);
    assert!(log.opened.is_empty());
}

#[test]
fn a_target_that_dies_when_it_is_opened_is_missing_for_what_it_wrote_last() {
    let probe = pool("echo libcuda.so not found >&2; exit 101", &Interrupt::default());
    let Ok(Probe::Unavailable(reason)) = probe.probe("cuda", ElementType::F32) else { panic!("available") };
    assert!(reason.contains("exit status: 101") && reason.contains("libcuda.so not found"), "{reason}");
}

#[test]
fn a_target_that_is_lost_on_the_way_fails_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("opened");
    let once = format!("[ -e {0} ] && {{ echo fell off the bus >&2; exit 1; }}\ntouch {0}", flag.display());
    let mut log = Log::default();
    let script = format!("{once}\n{}", script("exit 3"));
    pool(&script, &Interrupt::default()).run(&cases("ab"), &WorkerSettings::default(), &mut log).unwrap();
    assert!(error(&log.results[0]).contains("exit status: 3"));
    let error = error(&log.results[1]);
    assert!(error.contains("start again") && error.contains("fell off the bus"), "{error}");
}

#[test]
fn a_worker_of_another_version_is_refused() {
    let probe = pool(r#"echo '{"event":"hello","protocol":7}'"#, &Interrupt::default());
    let Ok(Probe::Broken(error)) = probe.probe("cuda", ElementType::F32) else { panic!("accepted") };
    assert!(error.contains("version 7"), "{error}");
}

#[test]
fn a_worker_that_does_not_open_its_device_in_time_is_broken() {
    let mut pool = pool("sleep 60", &Interrupt::default());
    pool.hello_timeout = Duration::from_millis(100);
    let Ok(Probe::Broken(error)) = pool.probe("cuda", ElementType::F32) else { panic!("accepted") };
    assert!(error.contains("within 0.1 s") && error.contains("open its device"), "{error}");
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let worker = "cuda=/nonexistent/worker".parse().unwrap();
    let pool = Pool::new(Launcher::new(&[worker], &[]).unwrap(), Interrupt::default());
    let Ok(Probe::Broken(error)) = pool.probe("cuda", ElementType::F32) else { panic!("started") };
    assert!(error.contains("cannot start the worker `/nonexistent/worker`"), "{error}");
}

#[test]
fn an_interrupt_ends_the_run_and_keeps_what_is_done() {
    struct StopAtSecond(Log, Interrupt);
    impl Observer for StopAtSecond {
        fn rehearsed(&mut self, _case: &Case) {}
        fn opened(&mut self, _: &str, _: &Greeting) {}
        fn started(&mut self, case: &Case) {
            if case.id == "b" {
                self.1.request();
            }
        }
        fn phase(&mut self, _: &Case, _: Phase) {}
        fn finished(&mut self, result: CaseResult) {
            self.0.finished(result);
        }
    }
    let interrupt = Interrupt::default();
    let mut observer = StopAtSecond(Log::default(), interrupt.clone());
    let ended = pool(&script(SKIP), &interrupt).run(&cases("abc"), &WorkerSettings::default(), &mut observer);
    assert_eq!(ended, Err(Interrupted));
    assert_eq!(observer.0.results.len(), 1);
}

#[test]
fn vectors_are_asked_for_and_answered() {
    let answer = r#"echo '{"event":"vectors","outcome":{"status":"skipped","reason":"no kernel here"}}'"#;
    let pool = pool(&script(answer), &Interrupt::default());
    let outcome = pool.verify_vectors("cuda", None, Strategy::Auto, Duration::from_secs(10)).unwrap();
    assert_eq!(outcome, VectorsOutcome::Skipped { reason: "no kernel here".to_owned() });
}

#[test]
fn a_worker_that_dies_over_the_vectors_fails_the_check() {
    let pool = pool(&script("exit 9"), &Interrupt::default());
    let outcome = pool.verify_vectors("cuda", None, Strategy::Auto, Duration::from_secs(10)).unwrap();
    let VectorsOutcome::Failed { error } = outcome else { panic!("{outcome:?}") };
    assert!(error.contains("exit status: 9"), "{error}");
}

/// A worker on a device of `class` that answers the first case and leaves a mark at each start.
fn counted(class: &str, marks: &std::path::Path) -> String {
    let mark = format!("echo started >> '{}'\n", marks.display());
    mark + &script(SKIP).replace(r#""class":"cpu""#, &format!(r#""class":"{class}""#))
}

fn memory_cases(names: &str) -> Vec<Case> {
    names.chars().map(|name| Case { id: name.to_string(), ..memory_case("cuda") }).collect()
}

#[test]
fn each_case_about_memory_gets_a_worker_of_its_own_after_one_that_tunes_for_all() {
    let starts = |class: &str| {
        let folder = tempfile::tempdir().unwrap();
        let marks = folder.path().join("marks");
        let mut log = Log::default();
        let pool = pool(&counted(class, &marks), &Interrupt::default());
        pool.run(&memory_cases("abc"), &WorkerSettings::default(), &mut log).unwrap();
        assert!(log.results.iter().all(is_done), "{:?}", log.results);
        assert_eq!(log.results.len(), 3);
        (std::fs::read_to_string(marks).unwrap().lines().count(), log.rehearsed.concat())
    };
    assert_eq!(starts("gpu"), (4, "abc".to_owned()));
    // A CPU does not tune: what was opened to find out is no more.
    assert_eq!(starts("cpu"), (4, String::new()));
}
