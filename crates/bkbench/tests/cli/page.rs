//! The HTML page in a browser: it opens without complaint, also in the dark and on paper.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::bench::{Bench, stderr, stdout, worker};

/// A run with everything that a page can show: a verdict, KPIs, tables, a figure, a failure, a skip.
const SWEEP: &str = r#"
analysis = "A page to look at."
[defaults]
targets = ["cuda", "wgpu"]
dtypes = "f16"
samples = 20
timeout_seconds = 20
[[benchmark]]
name = "memory"
kind = "phase2-memory"
batch = 1
n = [512, 1024, 2048]
[[benchmark]]
name = "throughput"
kind = "phase2-throughput"
batch = [1, 2, 4]
n = 512
[[kpi]]
name = "memory of the model"
metric = "peak_bytes"
at_most = 8e9
"#;

/// The browser, or `None` where there is none, which is then told.
fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: no Chromium in PATH (Debian: apt-get install chromium)");
    }
    found
}

fn open(browser: &Path, profile: &Path, options: &[&str], page: &Path) -> Output {
    Command::new(browser)
        // Without a sandbox of its own it also runs in a container; the page is ours.
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--enable-logging=stderr", "--v=0", "--hide-scrollbars", "--window-size=1200,1600"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(options)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn page(bench: &Bench) -> PathBuf {
    let mut command = bench.command();
    command.args(["run", "sweep.toml", "--out", "out", "--worker"]);
    command.arg(worker("cuda", "--gpu --spread 0.1 --on throughput/phase2-throughput/cuda/f16/b4=fail"));
    command.args(["--worker", &worker("wgpu", "--unavailable 'no Vulkan loader'")]);
    command.assert().code(4);
    bench.path("out/report.html")
}

/// Messages of the page's console: the browser's own complaints about its surroundings are no concern here.
fn console(output: &Output) -> Vec<String> {
    stderr(output).lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect()
}

#[test]
fn the_page_opens_without_complaint_and_works_in_the_dark_and_on_paper() {
    let Some(browser) = browser() else { return };
    let bench = Bench::new(SWEEP);
    let (page, profile) = (page(&bench), bench.path("profile"));

    let dom = open(&browser, &profile, &["--dump-dom"], &page);
    let text = stdout(&dom);
    assert!(text.contains("memory of the model") && text.contains("<table>"), "{text}\n{}", stderr(&dom));
    assert!(text.contains("1 case did not run to its end."), "{text}");
    assert_eq!(console(&dom), Vec::<String>::new());

    let picture = |name: &str, options: &[&str]| {
        let file = bench.path(name);
        let screenshot = format!("--screenshot={}", file.display());
        let options: Vec<&str> = options.iter().copied().chain([screenshot.as_str()]).collect();
        let output = open(&browser, &profile, &options, &page);
        assert_eq!(console(&output), Vec::<String>::new());
        std::fs::read(file).unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
    };
    let light = picture("light.png", &[]);
    let dark = picture("dark.png", &["--blink-settings=preferredColorScheme=0"]);
    assert!(light.starts_with(b"\x89PNG") && dark.starts_with(b"\x89PNG"));
    assert_ne!(light, dark, "the page looks the same in the dark");

    let paper = bench.path("paper.pdf");
    let print = format!("--print-to-pdf={}", paper.display());
    let output = open(&browser, &profile, &[&print, "--no-pdf-header-footer"], &page);
    let pdf = std::fs::read(paper).unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    assert!(pdf.starts_with(b"%PDF") && pdf.len() > 10_000, "{} bytes", pdf.len());
}

#[test]
fn a_page_that_complains_is_noticed() {
    let Some(browser) = browser() else { return };
    let bench = Bench::new(SWEEP);
    bench.write("bad.html", "<!doctype html><title>bad</title><script>console.error('broken')</script>");
    let output = open(&browser, &bench.path("profile"), &["--dump-dom"], &bench.path("bad.html"));
    assert!(console(&output).iter().any(|line| line.contains("broken")), "{}", stderr(&output));
}
