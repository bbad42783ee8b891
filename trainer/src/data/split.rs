//! From what a SPEC holds to a training and a test part, both checked.

use super::DataError;
use super::arrange::Source;
use super::raw::RawItems;
use super::spec::{DataSpec, read_source};

const DEFAULT_HOLDOUT: f64 = 0.1;
/// A mean and a deviation need two items.
const MIN_TRAIN_ITEMS: usize = 2;

/// The training and the test part of `source`, which is what `spec.data` holds.
pub(super) fn split(source: Source, spec: &DataSpec, name: &str) -> Result<(RawItems, RawItems), DataError> {
    let (train, test) = match (source.test, &spec.test_data, spec.holdout) {
        (_, Some(_), Some(_)) | (Some(_), _, Some(_)) => {
            return Err(DataError::HoldoutUnused { name: name.into() });
        }
        (_, Some(test_spec), None) => {
            let test = read_source(test_spec, spec.crop, spec.resize)?;
            (source.items, test.test.unwrap_or(test.items))
        }
        (Some(test), None, None) => (source.items, test),
        (None, None, holdout) => hold_out(source.items, holdout.unwrap_or(DEFAULT_HOLDOUT))?,
    };
    let count = spec.limit.unwrap_or(usize::MAX).min(train.len());
    let train = train.split_at(count).0;
    check_part(&train, "training", MIN_TRAIN_ITEMS, name)?;
    check_part(&test, "test", 1, name)?;
    if train.dtype() != test.dtype() || train.axes()[1..] != test.axes()[1..] {
        return Err(DataError::TestDiffers { found: test.describe(), expected: train.describe() });
    }
    Ok((train, test))
}

/// Parts off the last `fraction` of the items, at least one.
fn hold_out(items: RawItems, fraction: f64) -> Result<(RawItems, RawItems), DataError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::Holdout { fraction });
    }
    let test_count = ((items.len() as f64 * fraction).round() as usize).max(1);
    let train_count = items.len() - test_count;
    Ok(items.split_at(train_count))
}

fn check_part(items: &RawItems, part: &'static str, needed: usize, name: &str) -> Result<(), DataError> {
    if items.len() < needed {
        return Err(DataError::TooFewItems { name: name.into(), part, found: items.len(), needed });
    }
    match items.first_not_finite() {
        Some(item) => Err(DataError::NotFinite { name: name.into(), part, item }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::raw::{Element, from_values};
    use super::*;

    fn source<T: Element>(values: Vec<T>, test: Option<Vec<T>>) -> Source {
        let items = |values: Vec<T>| from_values([values.len(), 1, 1, 1], values);
        Source { items: items(values), test: test.map(items), one_dimensional: true }
    }

    fn counts(source: Source, spec: &DataSpec) -> Result<[usize; 2], DataError> {
        split(source, spec, "x").map(|(train, test)| [train.len(), test.len()])
    }

    fn spec() -> DataSpec {
        DataSpec::new("x")
    }

    #[test]
    fn the_last_tenth_is_held_out_in_order() {
        let (train, test) = split(source((0..20u8).collect(), None), &spec(), "x").unwrap();
        assert_eq!(train, from_values([18, 1, 1, 1], (0..18u8).collect()));
        assert_eq!(test, from_values([2, 1, 1, 1], vec![18u8, 19]));
    }

    #[test]
    fn holdout_and_limit_set_the_counts() {
        let items = || source((0..20u8).collect(), None);
        let with = |holdout, limit| counts(items(), &DataSpec { holdout, limit, ..spec() });
        assert_eq!(with(Some(0.25), None).unwrap(), [15, 5]);
        assert_eq!(with(Some(0.001), Some(3)).unwrap(), [3, 1]);
        assert_eq!(with(None, Some(99)).unwrap(), [18, 2]);
        for fraction in [0.0, 1.0, -0.5, f64::NAN] {
            let line = with(Some(fraction), None).unwrap_err().to_string();
            assert!(line.contains("leaves nothing to train or to test on"), "{line}");
        }
        let line = with(None, Some(1)).unwrap_err().to_string();
        assert!(line.starts_with("the training part of `x` has 1 items and needs at least 2"), "{line}");
    }

    #[test]
    fn a_test_part_is_not_held_out_from() {
        let items = || source(vec![1u8, 2, 3], Some(vec![4]));
        assert_eq!(counts(items(), &spec()).unwrap(), [3, 1]);
        let line = counts(items(), &DataSpec { holdout: Some(0.5), ..spec() }).unwrap_err().to_string();
        assert_eq!(line, "`x` has a test part already: leave --holdout out");
        let line = counts(source(vec![1u8, 2], Some(vec![])), &spec()).unwrap_err().to_string();
        assert!(line.starts_with("the test part of `x` has 0 items and needs at least 1"), "{line}");
    }

    #[test]
    fn test_data_replaces_the_test_part() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("test.csv");
        std::fs::write(&path, "1\n2\n3\n4\n").unwrap();
        let with_file = DataSpec { test_data: path.to_str().map(str::to_owned), ..spec() };
        assert_eq!(counts(source(vec![1f32, 2.0], Some(vec![9.0])), &with_file).unwrap(), [2, 4]);
        let line = counts(source(vec![1u8, 2], None), &with_file).unwrap_err().to_string();
        assert!(line.starts_with("the test part holds items of f32 1x1x1 but the training part of u8 1x1x1"), "{line}");
    }

    #[test]
    fn what_is_not_finite_is_named() {
        let line = counts(source(vec![1f32, f32::NAN, 2.0], Some(vec![1.0])), &spec()).unwrap_err().to_string();
        assert!(line.starts_with("item 1 (from 0) of the training part of `x` holds a value"), "{line}");
        let line = counts(source(vec![1f32, 2.0], Some(vec![f32::INFINITY])), &spec()).unwrap_err().to_string();
        assert!(line.starts_with("item 0 (from 0) of the test part of `x`"), "{line}");
    }
}
