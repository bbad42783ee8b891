//! Comma-separated values: one window of one channel a row, read as f32.

use std::path::Path;

use ::csv::{ReaderBuilder, StringRecord, Trim};
use ndarray::{ArrayD, IxDyn};

use super::DataError;
use super::arrange::{Source, arrange};

/// Reads a `.csv`. A first row without any number in it is a header and skipped.
pub(super) fn read(path: &Path) -> Result<Source, DataError> {
    let file = std::fs::File::open(path).map_err(DataError::io(path))?;
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(file);
    let mut values = Vec::new();
    let (mut rows, mut columns) = (0, 0);
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| DataError::damaged(path, error))?;
        if index == 0 && record.iter().all(|field| field.parse::<f32>().is_err()) {
            continue;
        }
        append_row(&record, &mut values, path)?;
        if rows == 0 {
            columns = record.len();
        } else if record.len() != columns {
            let (line, found) = (line_of(&record), record.len());
            return Err(DataError::CsvRagged { path: path.into(), line, found, expected: columns });
        }
        rows += 1;
    }
    let array = ArrayD::from_shape_vec(IxDyn(&[rows, columns]), values).expect("every row has as many values");
    arrange(array, path)
}

fn append_row(record: &StringRecord, values: &mut Vec<f32>, path: &Path) -> Result<(), DataError> {
    for (index, field) in record.iter().enumerate() {
        let value = field.parse().map_err(|_| DataError::CsvValue {
            path: path.into(),
            line: line_of(record),
            column: index + 1,
            text: field.into(),
        })?;
        values.push(value);
    }
    Ok(())
}

fn line_of(record: &StringRecord) -> u64 {
    record.position().map_or(0, |position| position.line())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::raw::from_values;
    use super::*;

    fn read_text(text: &str) -> Result<Source, DataError> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_row_is_a_window() {
        let expected = from_values([2, 1, 1, 3], vec![1f32, -2.5, 3e2, 4.0, 5.0, 6.0]);
        for text in ["1,-2.5,3e2\n4,5,6\n", "t0, t1, t2\r\n1, -2.5, 3e2\r\n\r\n4, 5, 6"] {
            let source = read_text(text).unwrap();
            assert_eq!((source.items, source.one_dimensional), (expected.clone(), true));
        }
    }

    #[test]
    fn each_fault_has_its_line() {
        for (text, part) in [
            ("a,b\n1,2\n3\n", "x.csv, line 3 has 1 values where the rows before have 2"),
            ("1,2\n3,four\n", "x.csv, line 2, column 2: `four` is not a number"),
            ("1,two\n3,4\n", "x.csv, line 1, column 2: `two` is not a number"),
            ("1,2\n3,\n", "x.csv, line 2, column 2: `` is not a number"),
            ("", "x.csv has shape [0, 0], so there is nothing in it"),
            ("a,b\n", "so there is nothing in it"),
        ] {
            let line = read_text(text).unwrap_err().to_string();
            assert!(line.contains(part), "{line}");
        }
    }
}
