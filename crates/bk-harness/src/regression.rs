//! The straight line through the times of `k` launches.

/// `y = intercept + slope * x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Seconds a launch.
    pub slope: f64,
    /// Seconds that do not depend on the number of launches.
    pub intercept: f64,
}

/// Ordinary least squares through `(x, y)`, or `None` when fewer than two different `x` are there.
///
/// Unweighted, because what disturbs a batch of launches is the one synchronisation at its end, which is
/// as noisy after 1 launch as after 64. A batch that was disturbed much more spoils its own line only:
/// the caller takes the median of many lines.
pub fn least_squares(points: &[(f64, f64)]) -> Option<Line> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|point| (point.0 - mean_x).powi(2)).sum();
    if spread.is_nan() || spread <= 0.0 {
        return None;
    }
    let joint: f64 = points.iter().map(|point| (point.0 - mean_x) * (point.1 - mean_y)).sum();
    let slope = joint / spread;
    Some(Line { slope, intercept: mean_y - slope * mean_x })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_recovered_exactly() {
        let points: Vec<_> = [1.0, 2.0, 4.0, 8.0].map(|k| (k, 5.0 + 0.25 * k)).to_vec();
        assert_eq!(least_squares(&points), Some(Line { slope: 0.25, intercept: 5.0 }));
    }

    #[test]
    fn the_slope_agrees_with_a_hand_computed_fit() {
        // Means 2 and 3; joint (-1)(-2) + 0 + 1 * 1 = 3, spread 2.
        let line = least_squares(&[(1.0, 1.0), (2.0, 4.0), (3.0, 4.0)]).unwrap();
        assert_eq!(line, Line { slope: 1.5, intercept: 0.0 });
    }

    #[test]
    fn one_number_of_launches_has_no_slope() {
        assert_eq!(least_squares(&[(4.0, 1.0), (4.0, 1.1)]), None);
        assert_eq!(least_squares(&[]), None);
    }
}
