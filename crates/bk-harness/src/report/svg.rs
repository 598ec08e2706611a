//! Figures: a metric over a size on logarithmic axes, as small hand-written SVG.
//!
//! Colours follow the reader's scheme, light or dark, in a file of its own as well as inside a page.

use std::fmt::Write as _;

use super::benchmarks;
use super::html::escaped;
use crate::kpi::{MetricValue, Unit};
use crate::record::Run;
use crate::units;

mod lines;

/// A figure for a file beside the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Name of the file, without a directory.
    pub file_name: String,
    /// What it shows.
    pub title: String,
    /// Its content.
    pub svg: String,
}

/// Sizes in user units; the picture scales.
const WIDTH: f64 = 760.0;
const ROW: f64 = 18.0;
const PLOT: Area = Area { left: 110.0, right: 740.0, top: 40.0, bottom: 340.0 };

/// Distinguishable also with the common colour-vision deficiencies (Okabe and Ito), on white and on black.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"];

struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// What a figure shows.
struct Plot {
    /// `{benchmark}: {title}` is the title of the figure.
    title: &'static str,
    /// What is on the horizontal axis.
    across: &'static str,
    unit: Unit,
    lines: Vec<Line>,
}

/// One line of a figure; its values are positive.
struct Line {
    label: String,
    points: Vec<(f64, MetricValue)>,
}

/// Classes of the picture. Inside a page they are the page's too, so their names are not likely to be taken.
const STYLE: &str = "<style>.bkf-paper{fill:#fff}.bkf-grid{stroke:#ddd}.bkf text{fill:#222}\
    @media (prefers-color-scheme:dark){.bkf-paper{fill:#1b1f24}.bkf-grid{stroke:#3a414a}.bkf text{fill:#d8dee6}}\
    @media print{.bkf-paper{fill:#fff}.bkf-grid{stroke:#ddd}.bkf text{fill:#222}}</style>";

/// Every figure of `runs`: one for each benchmark in which a case was measured at several `N`.
pub fn figures(runs: &[Run]) -> Vec<Figure> {
    let of_run = |index: usize| {
        let namesakes = namesakes(runs, index);
        let of = move |benchmark| of_benchmark(&runs[index], namesakes, benchmark);
        benchmarks(&runs[index]).into_iter().filter_map(of)
    };
    (0..runs.len()).flat_map(of_run).collect()
}

/// How many of the runs before number `index` have its name.
pub(super) fn namesakes(runs: &[Run], index: usize) -> usize {
    runs[..index].iter().filter(|run| run.name == runs[index].name).count()
}

/// The figure of a benchmark, if its cases have several `N`. Runs with the same name, of which there were
/// `namesakes` before, have files of their own.
pub(super) fn of_benchmark(run: &Run, namesakes: usize, benchmark: &str) -> Option<Figure> {
    let plot = lines::plot(run, benchmark);
    if plot.lines.is_empty() {
        return None;
    }
    let title = format!("{benchmark}: {}", plot.title);
    let svg = draw(&title, &plot);
    let number = if namesakes == 0 { String::new() } else { format!("-{}", namesakes + 1) };
    Some(Figure { file_name: format!("{}{number}-{}.svg", run.name, file_part(run, benchmark)), title, svg })
}

/// Names of benchmarks are the user's; file names have no blanks or separators. A changed name gets its
/// place in the config, lest two become the same.
fn file_part(run: &Run, name: &str) -> String {
    let part: String =
        name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
    match benchmarks(run).iter().position(|benchmark| *benchmark == name) {
        Some(place) if part != name => format!("{part}-{}", place + 1),
        _ => part,
    }
}

fn draw(title: &str, plot: &Plot) -> String {
    let lines = &plot.lines;
    let points = || lines.iter().flat_map(|line| &line.points);
    let x = Axis::over(points().map(|point| point.0), 2.0, (PLOT.left, PLOT.right));
    let values = points().flat_map(|point| [point.1.low, point.1.high]);
    let y = Axis::over(values, 10.0, (PLOT.bottom, PLOT.top));
    let height = PLOT.bottom + 60.0 + ROW * lines.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"bkf\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{}</title>\n{STYLE}\n\
         <rect width=\"100%\" height=\"100%\" class=\"bkf-paper\"/>\n\
         <text x=\"{}\" y=\"20\" font-size=\"14\">{}</text>\n",
        escaped(title),
        PLOT.left,
        escaped(title)
    );
    grid(&mut svg, plot, &x, &y);
    for (index, line) in lines.iter().enumerate() {
        draw_line(&mut svg, line, COLOURS[index % COLOURS.len()], &x, &y);
        let top = PLOT.bottom + 60.0 + ROW * index as f64;
        legend(&mut svg, &line.label, COLOURS[index % COLOURS.len()], top);
    }
    svg + "</svg>\n"
}

fn grid(svg: &mut String, plot: &Plot, x: &Axis, y: &Axis) {
    let Area { left, right, top, bottom } = PLOT;
    for size in x.ticks() {
        let at = x.position(size);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {top}V{bottom}\" class=\"bkf-grid\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{size}</text>",
            bottom + 16.0
        );
    }
    for value in y.ticks() {
        let at = y.position(value);
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {at:.1}H{right}\" class=\"bkf-grid\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            at + 4.0,
            units::value(value, plot.unit)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(left, right),
        bottom + 34.0,
        plot.across
    );
}

/// The values, joined, with their intervals.
fn draw_line(svg: &mut String, line: &Line, colour: &str, x: &Axis, y: &Axis) {
    let mut path = String::new();
    for (index, (size, value)) in line.points.iter().enumerate() {
        let (at, level) = (x.position(*size), y.position(value.value));
        let _ = write!(path, "{}{at:.1} {level:.1}", if index == 0 { "M" } else { "L" });
        let (low, high) = (y.position(value.low), y.position(value.high));
        let _ = writeln!(
            svg,
            "<circle cx=\"{at:.1}\" cy=\"{level:.1}\" r=\"3\" fill=\"{colour}\"/>\
             <path d=\"M{at:.1} {low:.1}V{high:.1}\" stroke=\"{colour}\"/>"
        );
    }
    let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>");
}

fn legend(svg: &mut String, label: &str, colour: &str, top: f64) {
    let left = PLOT.left;
    let _ = writeln!(
        svg,
        "<path d=\"M{left} {top:.1}H{:.1}\" stroke=\"{colour}\" stroke-width=\"3\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        left + 20.0,
        left + 28.0,
        top + 4.0,
        escaped(label)
    );
}

/// A logarithmic axis with ticks at powers of its base.
struct Axis {
    base: f64,
    /// Exponents of the ends.
    low: i32,
    high: i32,
    /// Positions of the ends.
    ends: (f64, f64),
}

impl Axis {
    /// Wide enough for `values`, which are positive.
    fn over(values: impl Iterator<Item = f64>, base: f64, ends: (f64, f64)) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values {
            least = least.min(value);
            most = most.max(value);
        }
        // Rounding must not push a power of the base out of its own axis.
        let low = (least.log(base) + 1e-9).floor() as i32;
        let high = (most.log(base) - 1e-9).ceil() as i32;
        Self { base, low, high: high.max(low + 1), ends }
    }

    fn position(&self, value: f64) -> f64 {
        let part = (value.log(self.base) - f64::from(self.low)) / f64::from(self.high - self.low);
        self.ends.0 + part * (self.ends.1 - self.ends.0)
    }

    /// At most about ten powers of the base.
    fn ticks(&self) -> Vec<f64> {
        let step = ((self.high - self.low) / 10 + 1) as usize;
        (self.low..=self.high).step_by(step).map(|power| self.base.powi(power)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_powers_of_its_base_around_the_values() {
        let axis = Axis::over([256.0, 4096.0].into_iter(), 2.0, (0.0, 100.0));
        assert_eq!((axis.position(256.0).round(), axis.position(4096.0).round()), (0.0, 100.0));
        assert_eq!(axis.ticks(), [256.0, 512.0, 1024.0, 2048.0, 4096.0]);
    }

    #[test]
    fn a_single_value_has_an_axis_too() {
        let axis = Axis::over([1e-3].into_iter(), 10.0, (0.0, 100.0));
        assert!(axis.position(1e-3).is_finite());
        assert_eq!(axis.ticks().len(), 2);
    }
}
