//! A share of a study's experiments, for several processes or machines.

use std::str::FromStr;

use super::Experiment;

/// One of several equal shares of a study's experiments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which, from 1.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let part = numbers.filter(|(index, count)| (1..=*count).contains(index));
        part.map(|(index, count)| Part { index, count }).ok_or_else(|| format!("`{text}` is no part such as 1/4"))
    }
}

/// Every so-manieth experiment: neighbours are alike, and so take as long.
pub(super) fn share(plan: &[Experiment], part: Option<Part>) -> Vec<Experiment> {
    let Part { index, count } = part.unwrap_or(Part { index: 1, count: 1 });
    plan.iter().skip(index - 1).step_by(count).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::{Study, plan};

    #[test]
    fn parts_make_the_whole() {
        let whole = plan(&Study::Mnist.extent(false), None, 2, 2);
        let parts: Vec<Vec<Experiment>> = (1..=4).map(|index| share(&whole, Some(Part { index, count: 4 }))).collect();
        assert!(parts.iter().all(|part| part.len().abs_diff(whole.len() / 4) <= 1));
        assert!(whole.iter().all(|experiment| parts.iter().filter(|part| part.contains(experiment)).count() == 1));
        assert_eq!(share(&whole, None), whole);
        assert_eq!("2/4".parse(), Ok(Part { index: 2, count: 4 }));
        assert!(["0/4", "5/4", "2", "a/b"].iter().all(|text| text.parse::<Part>().is_err()));
    }
}
