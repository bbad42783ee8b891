//! Figures over seeds, as text.

use super::{Experiment, Outcome, Record};

/// An experiment with the records of all its seeds.
pub(super) struct Group<'a> {
    /// The one with the first seed.
    pub(super) experiment: &'a Experiment,
    /// Records of seeds that came to an end.
    pub(super) outcomes: Vec<&'a Outcome>,
    /// Why others did not.
    pub(super) failed: Vec<&'a str>,
}

/// The records by experiment, in the order of the plan.
pub(super) fn groups<'a>(plan: &'a [Experiment], runs: &'a [Record]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (experiment, record) in plan.iter().zip(runs) {
        let found = groups.iter().position(|group| group.experiment.is_alike(experiment));
        let at = found.unwrap_or_else(|| {
            groups.push(Group { experiment, outcomes: Vec::new(), failed: Vec::new() });
            groups.len() - 1
        });
        groups[at].outcomes.extend(&record.outcome);
        groups[at].failed.extend(record.failed.as_deref());
    }
    groups
}

impl Group<'_> {
    /// A figure of all seeds: its mean, with the spread where there are more.
    pub(super) fn figure(&self, digits: usize, value: impl Fn(&Outcome) -> Option<f64>) -> String {
        let values: Option<Vec<f64>> = self.outcomes.iter().map(|outcome| value(outcome)).collect();
        mean_and_spread(&values.unwrap_or_default(), digits)
    }

    /// Whole numbers of all seeds, each of them: a mean rank is no rank.
    pub(super) fn each(&self, value: impl Fn(&Outcome) -> usize) -> String {
        let values: Vec<String> = self.outcomes.iter().map(|outcome| value(outcome).to_string()).collect();
        if values.is_empty() { "-".into() } else { values.join(", ") }
    }
}

/// The mean, and the standard deviation of a sample where there are two values or more.
pub(super) fn mean_and_spread(values: &[f64], digits: usize) -> String {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    match values.len() {
        0 => "-".into(),
        1 => format!("{mean:.digits$}"),
        _ => {
            let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
            format!("{mean:.digits$} ± {:.digits$}", spread.sqrt())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::Method;
    use crate::reproduce::{Settings, Study, plan};

    #[test]
    fn a_figure_has_a_spread_where_there_is_one() {
        assert_eq!(mean_and_spread(&[], 1), "-");
        assert_eq!(mean_and_spread(&[2.0], 2), "2.00");
        assert_eq!(mean_and_spread(&[1.0, 3.0, 5.0], 1), "3.0 ± 2.0");
    }

    #[test]
    fn seeds_of_one_experiment_are_one_group_and_failures_are_kept() {
        let plan = plan(&Study::Shapes.extent(true), Some(&[Method::Ae, Method::Vae]), 2, 1);
        let record = |experiment: &Experiment| Record {
            method: experiment.name(),
            experiment: Settings {
                linear_layers: 0,
                optimizer: "adam".into(),
                seed: experiment.seed,
                epochs: 1,
                device: "cpu".into(),
            },
            failed: Some("lost".into()),
            outcome: None,
        };
        let runs: Vec<Record> = plan.iter().map(record).collect();
        let groups = groups(&plan, &runs);
        assert_eq!(groups.iter().map(|group| group.failed.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(groups[0].figure(1, |outcome| Some(outcome.psnr_db)), "-");
    }
}
