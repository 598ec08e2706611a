//! What the exit code says, and which code wins when a run has several causes.

use std::process::ExitCode;

/// How a command ended. The codes are documented in `bkbench help` and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Exit {
    /// Everything asked for was done, and every KPI passed.
    #[default]
    Pass,
    /// A KPI failed.
    KpiFailed,
    /// The command line or a config is wrong; nothing was run.
    Usage,
    /// Nothing wrong was seen, but there is not enough data for a verdict.
    Inconclusive,
    /// A case failed to execute, or the run was interrupted.
    ExecutionFailed,
    /// A result is numerically wrong.
    WrongNumerics,
}

impl Exit {
    /// The code that the operating system sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::KpiFailed => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::ExecutionFailed => 4,
            Self::WrongNumerics => 5,
        }
    }

    /// The graver of two causes: 2 > 4 > 5 > 1 > 3 > 0.
    ///
    /// A run that broke says little about its numbers, and a wrong number says nothing about speed.
    pub(crate) fn or(self, other: Self) -> Self {
        if other.gravity() > self.gravity() { other } else { self }
    }

    /// The gravest of any number of causes; [`Exit::Pass`] when there is none.
    pub(crate) fn gravest(causes: impl IntoIterator<Item = Self>) -> Self {
        causes.into_iter().fold(Self::Pass, Self::or)
    }

    fn gravity(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Inconclusive => 1,
            Self::KpiFailed => 2,
            Self::WrongNumerics => 3,
            Self::ExecutionFailed => 4,
            Self::Usage => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    const BY_CODE: [Exit; 6] = [
        Exit::Pass,
        Exit::KpiFailed,
        Exit::Usage,
        Exit::Inconclusive,
        Exit::ExecutionFailed,
        Exit::WrongNumerics,
    ];

    #[test]
    fn codes_are_zero_to_five() {
        assert_eq!(BY_CODE.map(Exit::code), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn every_pair_follows_the_documented_order_whichever_comes_first() {
        let order = [2, 4, 5, 1, 3, 0];
        for (position, graver) in order.iter().enumerate() {
            for lesser in &order[position..] {
                let (graver, lesser) = (BY_CODE[*graver], BY_CODE[*lesser]);
                assert_eq!(graver.or(lesser), graver);
                assert_eq!(lesser.or(graver), graver);
            }
        }
    }

    #[test]
    fn the_gravest_of_many_wins() {
        let causes = [Exit::Inconclusive, Exit::WrongNumerics, Exit::Pass, Exit::KpiFailed];
        assert_eq!(Exit::gravest(causes), Exit::WrongNumerics);
    }

    #[test]
    fn no_cause_is_a_pass() {
        assert_eq!(Exit::gravest([]), Exit::Pass);
    }
}
