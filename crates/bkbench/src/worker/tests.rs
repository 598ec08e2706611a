//! The loop against an engine that does as the case's benchmark name says.

use std::path::{Path, PathBuf};

use bk_harness::case::{Case, ElementType, Strategy};
use bk_harness::outcome::{Measurement, Outcome};
use bk_harness::phase2::{ExportOutcome, ExportSource, MatmulPrecision, ParityOutcome};
use bk_harness::protocol::{Event, PROTOCOL_VERSION, Phase, Request};
use bk_harness::vectors::VectorsOutcome;

use super::{Engine, refuse, serve};
use crate::testing::{case, measurement};

struct Scripted;

impl Engine for Scripted {
    fn hello(&self) -> Event {
        Event::Unavailable { protocol: PROTOCOL_VERSION, reason: "stands in for a hello".to_owned() }
    }

    fn run(&mut self, case: &Case, observe: &mut dyn FnMut(Phase)) -> Outcome {
        observe(Phase::Prepare);
        match case.benchmark.as_str() {
            "panic" => panic!("out of memory"),
            "nan" => Outcome::Measured(Box::new(Measurement { warmup_seconds: f64::NAN, ..measurement() })),
            "measured" => Outcome::Measured(Box::new(measurement())),
            _ => Outcome::Skipped { reason: "as asked".to_owned() },
        }
    }

    fn verify_vectors(&mut self, dir: Option<&Path>, strategy: Strategy) -> VectorsOutcome {
        VectorsOutcome::Skipped { reason: format!("{dir:?} {}", strategy.name()) }
    }

    fn verify_phase2(
        &mut self,
        files: &[PathBuf],
        dtype: ElementType,
        precision: MatmulPrecision,
    ) -> ParityOutcome {
        ParityOutcome::Skipped { reason: format!("{files:?} {} {precision:?}", dtype.name()) }
    }

    fn export_phase2(&mut self, source: &ExportSource, file: &Path) -> ExportOutcome {
        panic!("{source:?} {file:?}")
    }
}

fn run(benchmark: &str) -> Request {
    Request::Run { case: Box::new(Case { benchmark: benchmark.to_owned(), ..case("cuda") }) }
}

/// What the worker says after its hello.
fn answers(requests: &[Request]) -> Vec<Event> {
    let input: Vec<String> = requests.iter().map(|request| serde_json::to_string(request).unwrap()).collect();
    let mut output = Vec::new();
    serve(&mut Scripted, input.join("\n").as_bytes(), &mut output).unwrap();
    let lines = String::from_utf8(output).unwrap();
    lines.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn outcome(event: &Event) -> &Outcome {
    match event {
        Event::Result { outcome, .. } => outcome,
        other => panic!("not a result: {other:?}"),
    }
}

#[test]
fn the_hello_comes_first_and_the_end_of_the_input_ends_the_worker() {
    let mut output = Vec::new();
    serve(&mut Scripted, &b""[..], &mut output).unwrap();
    let hello: Event = serde_json::from_slice(&output).unwrap();
    assert_eq!(hello, Scripted.hello());
}

#[test]
fn a_case_is_answered_by_its_phases_and_its_result() {
    let events = answers(&[run("plain")]);
    assert_eq!(events[0], Event::Phase { case: case("cuda").id, phase: Phase::Prepare });
    assert_eq!(*outcome(&events[1]), Outcome::Skipped { reason: "as asked".to_owned() });
    assert_eq!(events.len(), 2);
}

#[test]
fn a_panic_fails_its_case_and_ends_the_worker() {
    let events = answers(&[run("panic"), run("plain")]);
    assert_eq!(*outcome(&events[1]), Outcome::Failed { error: "panicked: out of memory".to_owned() });
    assert_eq!(events.len(), 2, "the case behind the panic is for a fresh worker");
}

#[test]
fn a_result_that_json_cannot_hold_becomes_an_invalid_one() {
    let events = answers(&[run("nan")]);
    let Outcome::Invalid { why, numerics: None } = outcome(&events[1]) else { panic!("{events:?}") };
    assert!(why.contains("not finite"), "{why}");
}

#[test]
fn an_error_that_is_no_number_leaves_the_result_as_it_is() {
    // Errors of a wrong output may be infinite; the harness writes them as null on purpose.
    let events = answers(&[run("measured")]);
    let Outcome::Measured(measurement) = outcome(&events[1]) else { panic!("{events:?}") };
    assert!(measurement.numerics.mse.is_nan());
}

#[test]
fn a_check_of_vectors_gets_its_arguments() {
    let request = Request::VerifyVectors { dir: Some("some/dir".into()), strategy: Strategy::MultiCube };
    let reason = "Some(\"some/dir\") multi-cube".to_owned();
    assert_eq!(answers(&[request]), [Event::Vectors { outcome: VectorsOutcome::Skipped { reason } }]);
}

#[test]
fn a_check_of_the_model_gets_its_arguments() {
    let request = Request::VerifyPhase2 {
        files: vec!["a.safetensors".into()],
        dtype: ElementType::F16,
        precision: MatmulPrecision::Fast,
    };
    let reason = "[\"a.safetensors\"] f16 Fast".to_owned();
    assert_eq!(answers(&[request]), [Event::Parity { outcome: ParityOutcome::Skipped { reason } }]);
}

#[test]
fn a_panic_fails_an_export_and_ends_the_worker() {
    let request =
        Request::ExportPhase2 { source: ExportSource::Preset("small".to_owned()), file: "out".into() };
    let error = "panicked: Preset(\"small\") \"out\"".to_owned();
    let events = answers(&[request, run("plain")]);
    assert_eq!(events, [Event::Exported { outcome: ExportOutcome::Failed { error } }]);
}

#[test]
fn exit_leaves_what_is_behind_it() {
    assert_eq!(answers(&[Request::Exit, run("plain")]), []);
}

#[test]
fn a_request_that_is_no_message_is_an_error() {
    let mut output = Vec::new();
    let error = serve(&mut Scripted, &b"hello\n"[..], &mut output).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[test]
fn a_missing_device_is_told_with_the_version_of_the_protocol() {
    let mut output = Vec::new();
    refuse("no driver".to_owned(), &mut output).unwrap();
    let event: Event = serde_json::from_slice(&output).unwrap();
    assert_eq!(event, Event::Unavailable { protocol: PROTOCOL_VERSION, reason: "no driver".to_owned() });
}

#[test]
fn a_worker_refuses_to_be_asked_as_an_engine() {
    let request = serde_json::to_string(&Request::Measure { case: "a".to_owned() }).unwrap();
    let mut output = Vec::new();
    let error = serve(&mut Scripted, request.as_bytes(), &mut output).unwrap_err();
    assert!(error.to_string().contains("as if it were an engine"), "{error}");
}
