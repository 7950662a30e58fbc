//! How sure a ratio is.
//!
//! Contestants take turns, so the figures of one turn were measured within seconds of each other, on a machine in the
//! same state. Each turn gives one ratio; the logarithms of ratios are averaged, and Student's t gives the interval in
//! which the true mean lies with 95 % confidence (W. S. Gosset, "The probable error of a mean", Biometrika 6, 1908).
//!
//! Some machines flip between two states every second or so, a busy neighbour on the same core, say. Then half of the
//! turns' ratios are right, and in the others one contestant met the one state and one the other, which a mean takes long
//! to get over. So where there are turns enough the median stands for the ratio, and the interval is between two of the
//! ratios: those that the true median lies between with 95 % confidence, whatever the distribution, as each ratio is above
//! it or below it with the same chance (W. R. Thompson, "On confidence ranges for the median", Annals of Mathematical
//! Statistics 7, 1936).

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

/// From so many turns on the median counts: with fewer, the interval would be from the least ratio to the greatest.
pub(crate) const FOR_MEDIAN: usize = 9;

/// A ratio, and the interval in which it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) mean: f64,
    /// The ends of the confidence interval; none where one turn alone was measured.
    pub(crate) interval: Option<(f64, f64)>,
}

impl Ratio {
    /// The mean of some ratios, each of one turn; their median where there are enough of them.
    pub(crate) fn of(ratios: &[f64]) -> Option<Self> {
        let mut logs: Vec<f64> =
            ratios.iter().map(|ratio| ratio.ln()).filter(|log| log.is_finite()).collect();
        if logs.len() >= FOR_MEDIAN {
            logs.sort_by(f64::total_cmp);
            return Some(Self::median(&logs));
        }
        let mean = mean(&logs)?;
        let half = error_of_mean(&logs).map(|error| error * quantile(logs.len() as f64 - 1.0));
        Some(Self::around(mean, half))
    }

    /// How many times the mean of the second sample is that of the first, where the samples were not taken in turn (B. L.
    /// Welch, "The generalization of Student's problem", Biometrika 34, 1947).
    pub(crate) fn of_unpaired(first: &[f64], second: &[f64]) -> Option<Self> {
        let logs = |values: &[f64]| -> Vec<f64> {
            values.iter().map(|value| value.ln()).filter(|log| log.is_finite()).collect()
        };
        let (first, second) = (logs(first), logs(second));
        let mean = mean(&second)? - mean(&first)?;
        let half = match (error_of_mean(&first), error_of_mean(&second)) {
            (Some(a), Some(b)) => {
                let (a2, b2) = (a * a, b * b);
                let freedom = |n: usize| n as f64 - 1.0;
                let degrees =
                    (a2 + b2).powi(2) / (a2 * a2 / freedom(first.len()) + b2 * b2 / freedom(second.len()));
                // Two samples without any spread have no error.
                Some((a2 + b2).sqrt() * if degrees.is_finite() { quantile(degrees) } else { 0.0 })
            }
            _ => None,
        };
        Some(Self::around(mean, half))
    }

    /// Of some logarithms in their order.
    fn median(logs: &[f64]) -> Self {
        let (n, middle) = (logs.len(), logs.len() / 2);
        let median = if n % 2 == 1 { logs[middle] } else { (logs[middle - 1] + logs[middle]) / 2.0 };
        // So many are left out at either end: the chance that as few lie below the median is at most 2.5 %.
        let below = Binomial::new(0.5, n as u64).ok();
        let is_rare = |few: usize| below.as_ref().is_some_and(|below| below.cdf(few as u64) <= 0.025);
        let left_out = (0..middle).take_while(|few| is_rare(*few)).count();
        let (low, high) = match left_out.checked_sub(1) {
            Some(at) => (logs[at], logs[n - 1 - at]),
            None => (f64::NEG_INFINITY, f64::INFINITY),
        };
        Self { mean: median.exp(), interval: Some((low.exp(), high.exp())) }
    }

    fn around(log: f64, half: Option<f64>) -> Self {
        Self { mean: log.exp(), interval: half.map(|half| ((log - half).exp(), (log + half).exp())) }
    }

    /// Half the interval's width as a share of the ratio.
    pub(crate) fn uncertainty(self) -> Option<f64> {
        self.interval.map(|(low, high)| (high - low) / 2.0 / self.mean)
    }

    /// Whether 1 lies in the interval: no difference has been shown.
    pub(crate) fn may_be_one(self) -> bool {
        self.interval.is_some_and(|(low, high)| low <= 1.0 && 1.0 <= high)
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard error of the mean, from at least two values.
fn error_of_mean(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let n = values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

/// The value that Student's distribution with this many degrees of freedom exceeds in 2.5 % of cases.
fn quantile(degrees: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees).map_or(f64::INFINITY, |t| t.inverse_cdf(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_that_of_the_table() {
        // Logarithms 0, 0.1, 0.2: mean 0.1, error 0.1 / sqrt(3), t for 2 degrees of freedom 4.303.
        let ratio = Ratio::of(&[1.0, 0.1_f64.exp(), 0.2_f64.exp()]).unwrap();
        let (low, high) = ratio.interval.unwrap();
        let half = 4.3027 * 0.1 / 3.0_f64.sqrt();
        assert!((ratio.mean.ln() - 0.1).abs() < 1e-9);
        assert!((low.ln() - (0.1 - half)).abs() < 1e-4 && (high.ln() - (0.1 + half)).abs() < 1e-4);
        assert!(ratio.may_be_one());
    }

    #[test]
    fn the_interval_of_a_median_is_between_two_of_the_ratios() {
        // The table for 9: the second and the eighth (96.1 %); for 30: the tenth and the 21st (95.7 %).
        let ratios = |n: usize| (1..=n).map(|at| at as f64).collect::<Vec<_>>();
        let (nine, thirty) = (Ratio::of(&ratios(9)).unwrap(), Ratio::of(&ratios(30)).unwrap());
        let near = |a: Ratio, low: f64, high: f64| {
            let (from, to) = a.interval.unwrap();
            (from - low).abs() < 1e-9 && (to - high).abs() < 1e-9
        };
        assert!(near(nine, 2.0, 8.0) && (nine.mean - 5.0).abs() < 1e-9, "{nine:?}");
        assert!(near(thirty, 10.0, 21.0), "{thirty:?}");
    }

    #[test]
    fn a_machine_that_flips_between_two_states_hides_no_difference() {
        // In every second turn one of the two met a state that is a third slower.
        let met = |turn: usize| match turn % 4 {
            0 => 1.3,
            2 => 1.0 / 1.3,
            _ => 1.0,
        };
        let ratio = Ratio::of(&(0..30).map(|turn| 1.1 * met(turn)).collect::<Vec<_>>()).unwrap();
        assert!(!ratio.may_be_one() && (ratio.mean - 1.1).abs() < 1e-9, "{ratio:?}");
    }

    #[test]
    fn one_turn_shows_a_ratio_and_no_interval() {
        let ratio = Ratio::of(&[2.0]).unwrap();
        assert_eq!((ratio.interval, ratio.may_be_one()), (None, false));
        assert_eq!(Ratio::of(&[]), None);
    }

    #[test]
    fn samples_that_differ_by_more_than_their_spread_differ() {
        let slower = Ratio::of_unpaired(&[100.0, 101.0, 99.0], &[110.0, 111.0, 109.0]).unwrap();
        assert!(!slower.may_be_one() && (slower.mean - 1.1).abs() < 0.01, "{slower:?}");
        let same = Ratio::of_unpaired(&[100.0, 104.0, 96.0], &[101.0, 97.0, 105.0]).unwrap();
        assert!(same.may_be_one(), "{same:?}");
        let rigid = Ratio::of_unpaired(&[5.0, 5.0], &[5.0, 5.0]).unwrap();
        assert_eq!(rigid.interval, Some((1.0, 1.0)));
    }
}
