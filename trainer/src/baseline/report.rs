//! A comparison as a table.

use std::fmt;

use super::{Comparison, Gain, Row};

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data, precision, items, samples, sensor_bits, .. } = self;
        writeln!(
            f,
            "{data}: {items} test windows of {samples} samples of {sensor_bits} bits; irmae is the exported {precision} model, \
             all methods have the same quantiser and coder"
        )?;
        writeln!(
            f,
            "{:>5} {:8} {:>9} {:>11} {:>8} {:>8} {:>10} {:>8} {:>8}",
            "cap", "", "bytes", "compression", "PRD", "PRDN", "RMSE", "PSNR", "SNR"
        )?;
        writeln!(
            f,
            "{:>5} {:8} {:>9} {:>11} {:>8} {:>8} {:>10} {:>8} {:>8}",
            "bytes", "method", "a window", "ratio", "%", "%", "raw units", "dB", "dB"
        )?;
        for Row { method, max_bytes, bytes_per_window, compression_ratio, quality: q, .. } in &self.rows {
            writeln!(
                f,
                "{max_bytes:>5} {method:8} {bytes_per_window:>9.2} {compression_ratio:>11.1} {:>8.2} {:>8.2} {:>10.4} {:>8.2} {:>8.2}",
                q.prd_percent, q.prdn_percent, q.rmse, q.psnr_db, q.snr_db
            )?;
        }
        write!(f, "irmae beside PCA with ideal entropy coding and no header, at the mean bytes of irmae's packets:")?;
        for Gain { max_bytes, ideal_bytes, ideal, gain_db, prdn_ratio } in &self.gains {
            write!(
                f,
                "\n{max_bytes:>5} PCA ideal {ideal_bytes:.2} bytes: PRDN {:.2} %, SNR {:.2} dB; irmae {gain_db:+.2} dB, PRDN {prdn_ratio:.3} of PCA's",
                ideal.prdn_percent, ideal.snr_db
            )?;
        }
        Ok(())
    }
}
