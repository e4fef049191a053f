//! How well a site is protected: judged from the copies of all its datasets.

use crate::i18n::format;
use crate::tone::Tone;
use crate::tr;
use hwc_api::v1::{CopyView, DatasetView, SiteView};

/// The judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Every copy is complete and in reach. `oldest_ms` is the age of the part that lags most,
    /// where it is known.
    Whole {
        /// Copies on other nodes.
        copies: usize,
        /// Age of what the best copy of the worst dataset holds; 0 when it has everything.
        oldest_ms: Option<u64>,
    },
    /// Some copies are complete and in reach, others are not.
    Partial {
        /// Those that are.
        current: usize,
        /// All of them.
        copies: usize,
    },
    /// A first copy is being made.
    Begun,
    /// There is no copy, and none is being made.
    None,
}

impl Protection {
    /// Judges a site by its files and databases together.
    #[must_use]
    pub fn of_site(site: &SiteView) -> Self {
        let databases = site.databases.iter().map(|database| &database.dataset);
        Self::of_datasets(std::iter::once(&site.files).chain(databases))
    }

    /// Judges one dataset.
    #[must_use]
    pub fn of_dataset(dataset: &DatasetView) -> Self {
        Self::of_datasets(std::iter::once(dataset))
    }

    fn of_datasets<'dataset>(datasets: impl Iterator<Item = &'dataset DatasetView>) -> Self {
        datasets
            .map(judge)
            .reduce(Self::worse)
            .unwrap_or(Self::None)
    }

    /// The site is protected as well as the worse of its parts.
    fn worse(self, other: Self) -> Self {
        if let (
            Self::Whole { copies, oldest_ms },
            Self::Whole {
                copies: other_copies,
                oldest_ms: other_oldest_ms,
            },
        ) = (self, other)
        {
            return Self::Whole {
                copies: copies.min(other_copies),
                // What is not known is not counted as fresh.
                oldest_ms: oldest_ms.zip(other_oldest_ms).map(|(a, b)| a.max(b)),
            };
        }
        if self.rank() <= other.rank() {
            self
        } else {
            other
        }
    }

    /// The lower, the worse.
    const fn rank(self) -> usize {
        match self {
            Self::None => 0,
            Self::Begun => 1,
            Self::Partial { current, .. } => 2 + current,
            Self::Whole { .. } => usize::MAX,
        }
    }

    /// The tone in which it is said.
    #[must_use]
    pub const fn tone(self) -> Tone {
        match self {
            Self::Whole { .. } => Tone::Ok,
            Self::Begun => Tone::Move,
            Self::Partial { .. } => Tone::Warn,
            Self::None => Tone::Bad,
        }
    }

    /// The judgement in a sentence.
    #[must_use]
    pub fn sentence(self) -> String {
        match self {
            Self::Whole { copies, oldest_ms } => match oldest_ms {
                Some(0) => tr!("protection-current", copies = copies),
                Some(age) => tr!("protection-age", copies = copies, age = format::age(age)),
                None => tr!("protection-unknown-age", copies = copies),
            },
            Self::Partial { current, copies } => {
                tr!("protection-partial", current = current, copies = copies)
            }
            Self::Begun => tr!("protection-begun"),
            Self::None => tr!("protection-none"),
        }
    }
}

fn judge(dataset: &DatasetView) -> Protection {
    let is_good = |copy: &&CopyView| copy.is_complete && copy.is_reachable;
    let copies = dataset.copies.len();
    let current = dataset.copies.iter().filter(is_good).count();
    if copies == 0 {
        Protection::None
    } else if current == copies {
        let ages = dataset.copies.iter().filter_map(|copy| copy.age_ms);
        Protection::Whole {
            copies,
            oldest_ms: ages.min(),
        }
    } else if current == 0 && dataset.copies.iter().any(|copy| copy.is_reachable) {
        Protection::Begun
    } else if current == 0 {
        Protection::None
    } else {
        Protection::Partial { current, copies }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{DatasetId, NodeId};
    use hwc_api::names::NodeName;
    use hwc_api::v1::{LiveState, NodeRef};

    /// (complete, reachable, age)
    fn dataset(copies: &[(bool, bool, Option<u64>)]) -> DatasetView {
        DatasetView {
            id: DatasetId(1),
            state: LiveState::Live,
            live_node: None,
            used_bytes: 0,
            copies: copies
                .iter()
                .map(|(is_complete, is_reachable, age_ms)| CopyView {
                    node: NodeRef {
                        id: NodeId(2),
                        name: NodeName::parse("n2").expect("a name"),
                    },
                    is_reachable: *is_reachable,
                    is_complete: *is_complete,
                    age_ms: *age_ms,
                })
                .collect(),
            divergent_copies: 0,
            moving: None,
        }
    }

    #[test]
    fn one_dataset_is_judged_by_its_copies() {
        let whole = |copies, oldest_ms| Protection::Whole { copies, oldest_ms };
        for (copies, expected) in [
            (vec![], Protection::None),
            (vec![(true, true, Some(0))], whole(1, Some(0))),
            (
                vec![(true, true, Some(900)), (true, true, Some(200))],
                whole(2, Some(200)),
            ),
            (vec![(true, true, None)], whole(1, None)),
            (vec![(false, true, None)], Protection::Begun),
            (vec![(true, false, Some(5))], Protection::None),
            (
                vec![(true, true, Some(0)), (true, false, Some(0))],
                Protection::Partial {
                    current: 1,
                    copies: 2,
                },
            ),
        ] {
            assert_eq!(judge(&dataset(&copies)), expected, "{copies:?}");
        }
    }

    #[test]
    fn a_site_is_protected_as_its_worst_part() {
        let fresh = dataset(&[(true, true, Some(0))]);
        let late = dataset(&[(true, true, Some(4000)), (true, true, Some(9000))]);
        let begun = dataset(&[(false, true, None)]);
        let all = |parts: &[&DatasetView]| Protection::of_datasets(parts.iter().copied());
        assert_eq!(
            all(&[&fresh, &late]),
            Protection::Whole {
                copies: 1,
                oldest_ms: Some(4000)
            }
        );
        assert_eq!(all(&[&fresh, &begun]), Protection::Begun);
        assert_eq!(all(&[&begun, &dataset(&[])]), Protection::None);
    }
}
