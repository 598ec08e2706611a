//! The loss curve as SVG.

use crate::progress::Progress;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 48.0;

/// Training loss, validation loss and, dashed, the unigram entropy.
pub(crate) fn svg(progress: &Progress) -> String {
    let last = progress.losses.last().map_or(1, |(step, _)| *step).max(1) as f64;
    let values = progress.losses.iter().chain(&progress.validation).map(|(_, loss)| *loss);
    let top = values.fold(progress.unigram_entropy, f64::max) * 1.05;
    let x = |step: f64| MARGIN + (WIDTH - 2.0 * MARGIN) * step / last;
    let y = |loss: f64| HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * loss / top;
    let line = |points: &[(usize, f64)], colour: &str| {
        let points: Vec<String> =
            points.iter().map(|(step, loss)| format!("{:.1},{:.1}", x(*step as f64), y(*loss))).collect();
        format!(
            r#"<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{}"/>"#,
            points.join(" ")
        )
    };
    let label = |at_x: f64, at_y: f64, anchor: &str, text: &str| {
        format!(r#"<text x="{at_x:.1}" y="{at_y:.1}" text-anchor="{anchor}">{text}</text>"#)
    };
    let (left, right, bottom) = (x(0.0), x(last), y(0.0));
    let entropy = y(progress.unigram_entropy);
    let mut parts = vec![
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">"#
        ),
        format!(r#"<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>"#),
        format!(r#"<path d="M{left:.1} {MARGIN} V{bottom:.1} H{right:.1}" fill="none" stroke="black"/>"#),
        format!(r#"<path d="M{left:.1} {entropy:.1} H{right:.1}" stroke="gray" stroke-dasharray="6 4"/>"#),
        label(right, entropy - 5.0, "end", &format!("unigram entropy {:.3}", progress.unigram_entropy)),
        line(&progress.losses, "steelblue"),
        line(&progress.validation, "firebrick"),
        label(right, MARGIN - 14.0, "end", "training (blue) and validation (red) loss, nats a byte"),
        label(right, bottom + 18.0, "end", &format!("step {last:.0}")),
    ];
    for tick in 0..=top.floor() as usize {
        parts.push(label(left - 8.0, y(tick as f64) + 4.0, "end", &tick.to_string()));
    }
    parts.push("</svg>\n".to_owned());
    parts.join("\n")
}
